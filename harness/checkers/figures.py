"""Figures: what a judged history says in numbers."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.checkers.afterwards import looked_afterwards, told_by_rows
from harness.checkers.connections import connections_of
from harness.checkers.encounters import encounters_of, needs_of, unmet
from harness.checkers.generator import GENERATOR_LOST, health_of, kept_out_of
from harness.checkers.ideal import Due, Waits, waits_of
from harness.checkers.judge import split_groups
from harness.checkers.statistics import quantiles_ms, samples_ms, spread_ms, wilson_95
from harness.checkers.timeline import SIGHTS, by_kind, sighting_of
from harness.checkers.upkeep import upkeep_of
from harness.history.op import FAIL, OK, Op
from harness.history.quiet_memory import without_collection
from harness.results.connections import Connections
from harness.results.finding import Judgement, Verdict
from harness.results.run import Pairs, PersonaFigures, TargetFigures, Timeline
from harness.target import Budgets

_STEPS = 600
"""A timeline has at most so many steps; longer runs get longer steps."""


_TELLING = SIGHTS | {"join", "leave"}
"""Ops that tell of waits."""

Span = tuple[float, float]
"""From when to when: seconds of the history's clock."""


@dataclass
class _Measured:
    """What one history holds, before it becomes figures. Times are seconds of the history's clock."""

    waits: list[float] = field(default_factory=list)
    waiters: list[str] = field(default_factory=list)
    """Whose wait each of them was."""
    joined: set[str] = field(default_factory=set)
    gone: list[float] = field(default_factory=list)
    """When users left without a match."""
    censored: int = 0
    begun: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    births: list[float] = field(default_factory=list)
    correct: int = 0
    offered: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    """When those joins were sent that had been due at some time."""
    joins: list[Span] = field(default_factory=list)
    """Those that were answered, and took effect."""
    sights: dict[str, dict[str, Span]] = field(default_factory=dict)
    """By session and member: from when he was due until he saw it."""
    due: dict[str, Due] = field(default_factory=dict)
    """By user: when his first join was due, and how long he then waited."""

    def waited(self, user: str, since: float, until: float) -> None:
        """Notes a wait that ended with a match."""
        wait = max(0.0, until - since)
        self.waits.append(wait)
        self.ended.append(until)
        self.waiters.append(user)
        if (due := self.due.get(user)) is not None and due.at == since:
            due.wait = wait

    @property
    def duration(self) -> float:
        return max(0.0, max(self.births) - min(self.begun)) if self.births and self.begun else 0.0

    @property
    def both_notified(self) -> list[Span]:
        """Of each session that both members saw: from when the later of them was due until the later had seen it."""
        both = [list(sights.values()) for sights in self.sights.values() if len(sights) == 2]
        spans = [(max(due for due, _ in pair), max(seen for _, seen in pair)) for pair in both]
        return [(due, max(due, seen)) for due, seen in spans]


@without_collection
def figures(ops: Iterable[Op], judgement: Judgement, name: str, budgets: Budgets = Budgets()) -> TargetFigures:
    """The figures of one target.

    Where the history has a part `swarm` (see `judge_groups`), rates, waits and the timeline come from that part alone,
    because conformance tests wait on purpose; pairs come from every part, and counts are the judgement's.
    """
    ops = list(ops)
    groups = split_groups(ops)
    parts = [group for (_, part), group in groups.items() if part == "swarm"]
    swarm = ops if len(groups) == 1 else [op for group in parts for op in group] or ops
    kinds = by_kind(ops)
    its = kinds if swarm is ops else by_kind(swarm)
    notes = its["generator"]
    wrong = {
        session
        for result in judgement.results
        if result.requirement.startswith("MM-S")
        for finding in result.findings
        for session in finding.sessions
    }
    afterwards = looked_afterwards(kinds["generator"])
    measured = _measure(told_by_rows(swarm) if afterwards else swarm, wrong)
    health = health_of(notes, budgets, kept_out=sum(op.outcome is not OK for op in its["enter"]))
    closed = health is not None and health.model == "closed"
    upkeep = upkeep_of(its)
    waits = Waits() if closed else waits_of(measured.due.values())
    duration = measured.duration
    connections = connections_of([*kinds["connect"], *kinds["mix"], *kinds["relay"]])
    encounters = encounters_of(swarm)
    doubts = [
        _contradicted(connections), health.trouble if health is not None else "",
        kept_out_of(health) if health is not None and not judgement.stopped else "",
        unmet(needs_of(notes), encounters, judgement) if judgement.joins else "",
    ]  # fmt: skip
    verdict, reason = _concluded(judgement, doubts)
    return TargetFigures(
        name=name,
        verdict=verdict,
        reason=reason,
        ops=len(ops),
        joins=judgement.joins,
        contended_joins=judgement.contended_joins,
        matches=judgement.matches,
        correct_matches=judgement.correct_matches,
        correct_matches_per_s=round(measured.correct / duration, 3) if duration else 0.0,
        violations=judgement.violations,
        violations_per_million_joins=per_million(judgement.violations, judgement.joins),
        checked={result.requirement: result.checked for result in judgement.results if result.checked},
        encounters=encounters,
        unmatched_users=judgement.unmatched_users,
        join_ms=spread_ms([end - start for start, end in measured.joins]),
        join_to_match_ms=spread_ms(measured.waits),
        both_notified_ms=spread_ms([end - start for start, end in ([] if afterwards else measured.both_notified)]),
        mean_wait_ms=waits.mean,
        ideal_wait_ms=waits.ideal,
        ideal_excess_ms=waits.excess,
        poll_ms=spread_ms(upkeep.polls),
        heartbeat_ms=spread_ms(upkeep.beats),
        heartbeats_unanswered=upkeep.unanswered,
        sockets_lost=upkeep.lost,
        censored_waits=measured.censored,
        join_to_match_quantiles=quantiles_ms(measured.waits),
        personas=_by_persona(its["plays"], measured),
        pairs=pairs_of(ops if kinds["lost"] else kinds["connect"]),  # whose process was lost, sights tell
        connections=connections,
        offered_per_s=None if closed else _rate(measured.offered),
        achieved_per_s=_rate(measured.sent) if measured.offered and not closed else None,
        arrivals_dropped=health.dropped if health is not None else 0,
        generator=health,
        duration=round(duration, 3),
        timeline=_timeline(measured),
        first_witness={result.requirement: result.findings[0] for result in judgement.results if result.findings},
        samples=_samples(measured, kinds["connect"]),
    )


def per_million(violations: Mapping[str, int], joins: int) -> dict[str, float]:
    """Findings by requirement, as so many in a million joins."""
    return {name: round(count * 1e6 / joins, 1) for name, count in violations.items()} if joins else {}


def pairs_of(ops: Iterable[Op]) -> Pairs:
    """What became of the pairs: all `connect` ops of one session id are one pair.

    A pair is connected when two different members say so. It failed at the stage of the member who stopped first; a
    pair of which one member connected and the other said nothing failed at `one-sided`. A pair that is not connected
    because the process of a member was lost is not counted.
    """
    ops = list(ops)
    by_session = _attempts(ops)
    for session in _cut_off(ops):
        if session in by_session and _connected(by_session[session]) is None:
            del by_session[session]
    times: list[float] = []
    failures: dict[str, int] = {}
    for attempts in by_session.values():
        span = _connected(attempts)
        if span is not None:
            times.append(span[1] - span[0])
            continue
        failed = sorted((op for op in attempts if op.outcome is not OK), key=lambda op: op.t1 or math.inf)
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


def _cut_off(ops: Sequence[Op]) -> set[str]:
    """The sessions of users whose process was lost."""
    lost = {op.user for op in ops if op.op == "lost" and op.value.get("reason") == GENERATOR_LOST}
    if not lost:
        return set()
    sights = (sighting_of(op) for op in ops)
    return {sight.session for sight in sights if sight is not None and not lost.isdisjoint(sight.members)}


def _attempts(ops: Iterable[Op]) -> dict[str, list[Op]]:
    """The attempts to connect, by session."""
    by_session: dict[str, list[Op]] = {}
    for op in ops:
        if op.op == "connect" and op.value.get("id"):
            by_session.setdefault(str(op.value["id"]), []).append(op)
    return by_session


def _connected(attempts: Iterable[Op]) -> Span | None:
    """From the first attempt to the last connection of a pair; None where not both members are connected."""
    joined = [op for op in attempts if op.outcome is OK and op.t1 is not None]
    if len({op.user for op in joined}) < 2:
        return None
    return min(op.t0 for op in joined), max(op.t1 or op.t0 for op in joined)


def _by_persona(ops: Iterable[Op], measured: _Measured) -> dict[str, PersonaFigures]:
    """The waits by what their users played; empty where nobody says."""
    plays = {op.user: str(op.value.get("persona")) for op in ops if op.op == "plays"}
    waits: dict[str, list[float]] = {persona: [] for persona in sorted(plays.values())}
    for user, wait in zip(measured.waiters, measured.waits, strict=True):
        if user in plays:
            waits[plays[user]].append(wait)
    joined = Counter(plays[user] for user in measured.joined if user in plays)
    return {
        persona: PersonaFigures(users=joined[persona], join_to_match_ms=spread_ms(times))
        for persona, times in waits.items()
    }


def _samples(measured: _Measured, ops: Iterable[Op]) -> dict[str, tuple[float, ...]]:
    """The single measurements of each figure of times that has any."""
    waits = [(end - wait, end) for end, wait in zip(measured.ended, measured.waits, strict=True)]
    pairs = [span for attempts in _attempts(ops).values() if (span := _connected(attempts))]
    found = {
        "join_ms": measured.joins,
        "join_to_match_ms": waits,
        "both_notified_ms": measured.both_notified,
        "pairs.time_to_connect_ms": pairs,
    }
    return {name: samples_ms(spans) for name, spans in found.items() if spans}


def _concluded(judgement: Judgement, doubts: Iterable[str]) -> tuple[Verdict, str]:
    """The judgement's verdict and reason, in doubt where pairs contradict theory, the generator measured itself, or
    the scenario never met what it is for.

    No target is invalid for what the harness or the stack below it did, but figures that contain it show nothing, so
    that a valid history becomes unknown.
    """
    doubt = "; ".join(filter(None, doubts))
    if not doubt:
        return judgement.verdict, judgement.reason
    verdict = Verdict.UNKNOWN if judgement.verdict is Verdict.VALID else judgement.verdict
    return verdict, f"{doubt}; {judgement.reason}" if verdict is Verdict.UNKNOWN else f"{judgement.reason}; {doubt}"


def _contradicted(connections: Connections | None) -> str:
    """That pairs contradict theory; empty where none does."""
    found = connections.contradictions if connections is not None else ()
    if not found:
        return ""
    pairs = "1 pair contradicts" if len(found) == 1 else f"{len(found)} pairs contradict"
    return f"{pairs} the theory of NATs, which is an error of the harness or of the stack below it, not of the target"


def _measure(ops: Iterable[Op], wrong: set[str]) -> _Measured:
    """One pass over the ops in the order of their ends: waits of users, first sights of sessions."""
    measured = _Measured()
    waiting: dict[str, float] = {}
    left: dict[str, Span] = {}
    seen: set[tuple[str, str]] = set()
    born: dict[str, float] = {}
    telling = [op for op in ops if op.op in _TELLING]
    telling.sort(key=lambda op: (op.t1 if op.t1 is not None else math.inf, op.t0))
    for op in telling:
        if op.op == "join" and op.outcome is not FAIL:
            start = op.t0 if op.due is None else op.due
            waiting.setdefault(op.user, start)
            left.pop(op.user, None)
            measured.begun.append(op.t0)
            measured.joined.add(op.user)
            if op.outcome is OK and op.t1 is not None:
                measured.joins.append((op.t0, op.t1))
            if op.due is not None:
                measured.offered.append(op.due)
                measured.sent.append(op.t0)
                measured.due.setdefault(op.user, Due(op.due))
        if op.op == "leave" and op.outcome is not FAIL and op.user in waiting:
            left[op.user] = waiting.pop(op.user), op.t0
            measured.gone.append(op.t0)
            measured.censored += 1
        sight = sighting_of(op) if op.op in SIGHTS else None
        if sight is None:
            continue
        born.setdefault(sight.session, sight.known)
        if (op.user, sight.session) not in seen:
            seen.add((op.user, sight.session))
            since = waiting.pop(op.user, None)
            if since is None and op.user in left:  # he was matched before he left, and heard of it after
                since, gone = left[op.user]
                measured.gone.remove(gone)
                measured.censored -= 1
            left.pop(op.user, None)
            if since is not None:
                measured.sights.setdefault(sight.session, {})[op.user] = (since, sight.known)
                measured.waited(op.user, since, sight.known)
    measured.censored += len(waiting)
    measured.births = sorted(born.values())
    measured.correct = sum(session not in wrong for session in born)
    return measured


def _timeline(measured: _Measured) -> Timeline:
    if not measured.begun or not measured.births:
        return Timeline()
    start = min(measured.begun)
    length = max(*measured.births, *measured.begun) - start
    step = max(0.1, math.ceil(length / _STEPS * 10) / 10)
    begun, ended = sorted(measured.begun), sorted([*measured.ended, *measured.gone])
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
