"""Figures: what a judged history says in numbers."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hdrh.histogram import HdrHistogram

from harness.checkers.judge import split_groups
from harness.checkers.timeline import sighting_of
from harness.history.op import Op, Outcome
from harness.results.finding import Judgement
from harness.results.run import Pairs, Quantile, Spread, TargetFigures, Timeline

_HIGHEST_US = 3_600_000_000
_PERCENTS = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)
_STEPS = 600
"""A timeline has at most so many steps; longer runs get longer steps."""


@dataclass
class _Measured:
    """What one history holds, before it becomes figures. Times are seconds of the history's clock."""

    waits: list[float] = field(default_factory=list)
    begun: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    births: list[float] = field(default_factory=list)
    correct: int = 0
    offered: list[float] = field(default_factory=list)

    @property
    def duration(self) -> float:
        return max(0.0, max(self.births) - min(self.begun)) if self.births and self.begun else 0.0


def figures(ops: Iterable[Op], judgement: Judgement, name: str) -> TargetFigures:
    """The figures of one target.

    Where the history has a part `swarm` (see `judge_groups`), rates, waits and the timeline come from that part alone,
    because conformance tests wait on purpose; pairs come from every part, and counts are the judgement's.
    """
    ops = list(ops)
    groups = split_groups(ops)
    swarm = [op for (_, part), group in groups.items() if part == "swarm" for op in group]
    wrong = {
        session
        for result in judgement.results
        if result.requirement.startswith("MM-S")
        for finding in result.findings
        for session in finding.sessions
    }
    measured = _measure(swarm or ops, wrong)
    duration = measured.duration
    return TargetFigures(
        name=name,
        verdict=judgement.verdict,
        reason=judgement.reason,
        joins=judgement.joins,
        contended_joins=judgement.contended_joins,
        matches=judgement.matches,
        correct_matches=judgement.correct_matches,
        correct_matches_per_s=round(measured.correct / duration, 3) if duration else 0.0,
        violations=judgement.violations,
        unmatched_users=judgement.unmatched_users,
        join_to_match_ms=spread_ms(measured.waits),
        join_to_match_quantiles=quantiles_ms(measured.waits),
        pairs=pairs_of(ops),
        offered_per_s=_rate(measured.offered),
        achieved_per_s=_rate(measured.begun) if measured.offered else None,
        duration=round(duration, 3),
        timeline=_timeline(measured),
        first_witness={result.requirement: result.findings[0] for result in judgement.results if result.findings},
    )


def spread_ms(seconds: Sequence[float]) -> Spread:
    """How these times spread, in milliseconds."""
    if not seconds:
        return Spread()
    histogram = _histogram(seconds)
    p50, p95, p99, top = (_ms(histogram.get_value_at_percentile(percent)) for percent in (50.0, 95.0, 99.0, 100.0))
    return Spread(count=len(seconds), p50=p50, p95=p95, p99=p99, max=top)


def quantiles_ms(seconds: Sequence[float]) -> tuple[Quantile, ...]:
    """The distribution of these times as points for a percentile plot."""
    if not seconds:
        return ()
    histogram = _histogram(seconds)
    return tuple(Quantile(percent=p, at_most_ms=_ms(histogram.get_value_at_percentile(p))) for p in _PERCENTS)


def wilson_95(successes: int, trials: int) -> tuple[float, float] | None:
    """The 95 % Wilson score interval of a success rate (E. B. Wilson, 1927); None without a trial."""
    if not trials:
        return None
    z = 1.959963984540054
    rate = successes / trials
    scale = 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return round(low, 4), round(high, 4)


def pairs_of(ops: Iterable[Op]) -> Pairs:
    """What became of the pairs: all `connect` ops of one session id are one pair.

    A pair is connected when two different members say so. It failed at the stage of the member who stopped first; a
    pair of which one member connected and the other said nothing failed at `one-sided`.
    """
    by_session: dict[str, list[Op]] = {}
    for op in ops:
        if op.op == "connect" and op.value.get("id"):
            by_session.setdefault(str(op.value["id"]), []).append(op)
    times: list[float] = []
    failures: dict[str, int] = {}
    for attempts in by_session.values():
        joined = [op for op in attempts if op.outcome is Outcome.OK and op.t1 is not None]
        if len({op.user for op in joined}) >= 2:
            times.append(max(op.t1 or op.t0 for op in joined) - min(op.t0 for op in joined))
            continue
        failed = sorted((op for op in attempts if op.outcome is not Outcome.OK), key=lambda op: op.t1 or math.inf)
        stage = str(failed[0].value.get("stage") or "unknown") if failed else "one-sided"
        failures[stage] = failures.get(stage, 0) + 1
    attempted, connected = len(by_session), len(times)
    return Pairs(
        attempted=attempted,
        connected=connected,
        success_rate=round(connected / attempted, 4) if attempted else None,
        interval_95=wilson_95(connected, attempted),
        time_to_connect_ms=spread_ms(times),
        failures_by_stage=dict(sorted(failures.items())),
    )


def _measure(ops: Iterable[Op], wrong: set[str]) -> _Measured:
    """One pass over the ops in the order of their ends: waits of users, first sights of sessions."""
    measured = _Measured()
    waiting: dict[str, float] = {}
    seen: set[tuple[str, str]] = set()
    born: dict[str, float] = {}
    for op in sorted(ops, key=lambda op: (op.t1 if op.t1 is not None else math.inf, op.t0)):
        if op.op == "join" and op.outcome is not Outcome.FAIL:
            start = op.t0 if op.due is None else op.due
            waiting.setdefault(op.user, start)
            measured.begun.append(op.t0)
            if op.due is not None:
                measured.offered.append(op.due)
        sight = sighting_of(op)
        if sight is None:
            continue
        born.setdefault(sight.session, sight.known)
        if (op.user, sight.session) not in seen:
            seen.add((op.user, sight.session))
            since = waiting.pop(op.user, None)
            if since is not None:
                measured.waits.append(max(0.0, sight.known - since))
                measured.ended.append(sight.known)
    measured.births = sorted(born.values())
    measured.correct = sum(session not in wrong for session in born)
    return measured


def _timeline(measured: _Measured) -> Timeline:
    if not measured.begun or not measured.births:
        return Timeline()
    start = min(measured.begun)
    length = max(*measured.births, *measured.begun) - start
    step = max(0.1, math.ceil(length / _STEPS * 10) / 10)
    begun, ended = sorted(measured.begun), sorted(measured.ended)
    edges = [start + step * (n + 1) for n in range(int(length / step) + 1)]
    totals = [bisect_right(measured.births, edge) for edge in edges]
    return Timeline(
        step=step,
        matches_per_s=tuple(round((b - a) / step, 3) for a, b in zip([0, *totals], totals, strict=False)),
        waiting=tuple(bisect_right(begun, edge) - bisect_right(ended, edge) for edge in edges),
    )


def _rate(moments: Sequence[float]) -> float | None:
    """Events per second, from the first to the last of them."""
    if len(moments) < 2 or max(moments) <= min(moments):
        return None
    return round((len(moments) - 1) / (max(moments) - min(moments)), 3)


def _histogram(seconds: Sequence[float]) -> HdrHistogram:
    histogram = HdrHistogram(1, _HIGHEST_US, 3)
    for value in seconds:
        histogram.record_value(min(_HIGHEST_US, max(1, round(value * 1e6))))
    return histogram


def _ms(microseconds: float) -> float:
    return round(microseconds / 1000, 3)
