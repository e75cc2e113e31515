"""Figures as words: the rows of a comparison, the same for the terminal and for the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.results.finding import Finding, Verdict
from harness.results.run import (
    BenchRun,
    ClaimsRun,
    ConformRun,
    ConformSetRun,
    Pairs,
    RequirementResult,
    SwarmRun,
    TargetFigures,
)
from harness.results.spread import Spread
from harness.results.store import StoredRun

NOTHING = "–"
_ID = re.compile(r"\b([0-9a-f]{6})[0-9a-f]{2}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of all targets, in the order of the targets; `hint` says how to read it."""

    label: str
    cells: tuple[str, ...]
    hint: str = ""


@dataclass(frozen=True, slots=True)
class RequirementRow:
    """One requirement on all targets; None where a target was not tested for it."""

    id: str
    title: str
    results: tuple[RequirementResult | None, ...]

    @property
    def evidence(self) -> str:
        """The least access that shows a breach."""
        return next((result.evidence for result in self.results if result is not None), "")


def figures_of(run: StoredRun) -> tuple[TargetFigures, ...]:
    """The measured targets of a run; none for a conformance run."""
    return () if isinstance(run, ConformRun | ConformSetRun | ClaimsRun) else run.targets


def conformance_of(run: StoredRun) -> tuple[ConformRun, ...]:
    """The conformance runs that a run holds, or is."""
    if isinstance(run, ConformRun):
        return (run,)
    return run.conformance if isinstance(run, BenchRun | ConformSetRun) else ()


def figure_rows(targets: Sequence[TargetFigures]) -> list[Row]:
    """The comparison: figures that no target has are left out."""
    rows = [
        Row("verdict", tuple(target.verdict.value for target in targets), "what the history proves"),
        Row("joins", _each(targets, lambda t: f"{t.joins:,}"), "that took effect or may have"),
        Row("matches", _each(targets, _matches), "correct: no safety finding names them"),
        Row("correct matches per s", _each(targets, _rate), "from the first join to the last match"),
        Row("violations", _each(targets, _violations), "findings by requirement"),
        Row("per million joins", _each(targets, _per_million), "the same findings, by what they come to"),
        Row("met on purpose", _each(targets, lambda t: _counts(t.encounters)), "what the scenario is for"),
        Row(
            "users never matched", _each(targets, lambda t: f"{t.unmatched_users:,}"), "joined, and seen in no session"
        ),
        Row("join answered", _each(targets, lambda t: spread_text(t.join_ms)), "p50 / p95 / p99 / max, in ms"),
        Row("join to match", _each(targets, lambda t: spread_text(t.join_to_match_ms)), "p50 / p95 / p99 / max, in ms"),
        *_persona_rows(targets),
        Row(
            "join to both notified",
            _each(targets, lambda t: spread_text(t.both_notified_ms)),
            "from the later join until both had seen it: p50 / p95 / p99 / max, in ms",
        ),
        Row("mean wait over the ideal", _each(targets, _ideal), "a matcher that pairs with the next arrival, at once"),
        Row("pairs connected", _each(targets, lambda t: _pairs(t.pairs)), "data went both ways; 95 % interval"),
        Row(
            "time to connect",
            _each(targets, lambda t: spread_text(t.pairs.time_to_connect_ms)),
            "p50 / p95 / p99 / max, in ms",
        ),
        Row("failed pairs", _each(targets, lambda t: _counts(t.pairs.failures_by_stage)), "by the stage that failed"),
        Row("ceiling", _each(targets, _ceiling), "the last step that held: correct matches/s, at users/s"),
        Row("cost of a match", _each(targets, _costs), "statements / WAL bytes / dead tuples / frames"),
        Row("joins at full speed", _each(targets, _joining), "32 joiners at once; the same server's no-op POST"),
        Row("polls answered", _each(targets, lambda t: spread_text(t.poll_ms)), "p50 / p95 / p99 / max, in ms"),
        Row("heartbeats answered", _each(targets, _heartbeats), "p50 / p95 / p99 / max, in ms"),
        Row("sockets lost", _each(targets, _sockets_lost), "broke without their users' doing"),
        Row("arrivals per s", _each(targets, _arrivals), "offered → achieved"),
        Row("generator", _each(targets, _generator), "loop lag p99 / max, in ms; CPU of its busiest process"),
    ]
    return [row for row in rows if any(cell != NOTHING for cell in row.cells)]


def _persona_rows(targets: Sequence[TargetFigures]) -> list[Row]:
    """The waits of each persona, where personas are mixed."""
    names = dict.fromkeys(name for target in targets for name in target.personas)
    return [Row(f"… of persona {name}", _each(targets, partial(_waits_of, persona=name))) for name in names]


def _waits_of(target: TargetFigures, persona: str) -> str:
    of = target.personas.get(persona)
    return NOTHING if of is None else spread_text(of.join_to_match_ms)


def requirement_rows(runs: Sequence[ConformRun]) -> list[RequirementRow]:
    """One row for each requirement that any of the runs speaks of, in the order of the first that does."""
    titles = {result.id: result.title for run in runs for result in run.requirements}
    by_run = [{result.id: result for result in run.requirements} for run in runs]
    return [RequirementRow(id_, title, tuple(known.get(id_) for known in by_run)) for id_, title in titles.items()]


def findings_of(run: StoredRun) -> list[tuple[str, Finding]]:
    """The first finding of each requirement, by target: from the measured history, else from the conformance test."""
    found: dict[tuple[str, str], Finding] = {}
    for target in figures_of(run):
        for requirement, finding in target.first_witness.items():
            found[target.name, requirement] = finding
    for conform in conformance_of(run):
        for result in conform.requirements:
            if result.finding is not None:
                found.setdefault((conform.target, result.id), result.finding)
    names = [target.name for target in figures_of(run)] + [conform.target for conform in conformance_of(run)]
    ordered = sorted(found.items(), key=lambda item: (names.index(item[0][0]), _rank(item[0][1])))
    return [(name, finding) for (name, _), finding in ordered]


def notes(target: TargetFigures) -> list[str]:
    """What must be said beside a target's figures."""
    said = [] if target.verdict is Verdict.VALID or not target.reason else [f"{target.verdict.value}: {target.reason}"]
    said += [f"threshold broken: {one.text}: {one.sentence}" for one in target.thresholds if not one.held]
    if target.thresholds and all(one.held for one in target.thresholds):
        said.append(f"thresholds hold: {', '.join(one.text for one in target.thresholds)}")
    if target.generator is not None and target.generator.model == "closed":
        said.append("closed model: the next user came when one was through, so that a slow target was asked less")
    if target.censored_waits:
        waits = target.censored_waits + target.join_to_match_ms.count
        said.append(f"{target.censored_waits:,} of {waits:,} waits did not end in a match: they are in no percentile")
    kept_out = target.generator.kept_out if target.generator is not None else 0
    if kept_out:
        said.append(f"{kept_out:,} users could not enter the target")
    if target.arrivals_dropped > kept_out:
        said.append(f"{target.arrivals_dropped - kept_out:,} arrivals were dropped: the generator did not keep up")
    expected = target.expectations
    if expected is not None:
        if expected.missing:
            said.append(f"expected to break and did not: {', '.join(expected.missing)}")
        if expected.unexpected:
            said.append(f"broken and not expected: {', '.join(expected.unexpected)}")
        if expected.met and expected.findings:
            said.append("breaks what it is expected to break")
    return said


def scenario_notes(run: StoredRun) -> list[tuple[str, str]]:
    """By target, what the scenario of a swarm can judge: how many cases were looked at, and of what there was none."""
    if not isinstance(run, SwarmRun) or not run.judges:
        return []
    return [(target.name, _judged(run, target)) for target in run.targets]


def _judged(run: SwarmRun, target: TargetFigures) -> str:
    seen = [f"{name} × {target.checked[name]:,}" for name in run.judges if name in target.checked]
    idle = [name for name in run.judges if name not in target.checked]
    unseen = f"; not put to the test: {', '.join(idle)}" if idle else ""
    return f"{run.scenario} judged {', '.join(seen) or 'nothing'}{unseen}"


def witness_lines(finding: Finding) -> list[tuple[str, str, str, str]]:
    """The ops of a witness as (time from the first, who, what, how it came out)."""
    start = min((op.get("t0", 0.0) for op in finding.witness), default=0.0)
    return [
        (f"+{op.get('t0', start) - start:.3f} s", _who(op), op_text(op), str(op.get("outcome", "")))
        for op in finding.witness
    ]


def _rank(requirement: str) -> tuple[int, str]:
    """Safety before liveness, as the catalogue has them."""
    return (0 if "-S" in requirement else 1, requirement)


def _who(op: dict[str, Any]) -> str:
    user = str(op.get("user", ""))
    return shortened(user) + (f" ({op['device']})" if op.get("device") not in {None, "", "d1"} else "")


def op_text(op: dict[str, Any]) -> str:
    """An op in a few words: what it did, and what it saw."""
    value = op.get("value") or {}
    session = value.get("session")
    if isinstance(session, dict):
        id_, user1, user2 = (shortened(str(session.get(key, ""))) for key in ("id", "user1", "user2"))
        return f"{op.get('op')} sees session {id_}: {user1} with {user2}, {session.get('status', 'active')}"
    if op.get("op") == "request":
        return f"{value.get('method')} {shortened(str(value.get('url')))}: {value.get('status', 'no answer')}"
    if "method" in value and "url" in value:
        return shortened(f"{value['method']} {value['url']} → {value.get('status') or 'no answer'}")
    if op.get("op") == "poll":
        return "poll sees no session"
    parts = [
        f"{key}={shortened(str(value[key]))}"
        for key in (
            "id",
            "by",
            "mode",
            "kind",
            "stage",
            "seq",
            "type",
            "state",
            "present",
            "buddy",
            "table",
            "action",
            "rows",
        )
        if key in value
    ]
    return " ".join([str(op.get("op", "")), *parts])


def shortened(text: str) -> str:
    """An id by its first six characters, as findings name it."""
    return _ID.sub(r"\1…", text)


def _each(targets: Sequence[TargetFigures], cell: Callable[[TargetFigures], str]) -> tuple[str, ...]:
    return tuple(cell(target) for target in targets)


def _matches(target: TargetFigures) -> str:
    if target.correct_matches == target.matches:
        return f"{target.matches:,}"
    return f"{target.matches:,} ({target.correct_matches:,} correct)"


def _rate(target: TargetFigures) -> str:
    if not target.matches:
        return NOTHING
    void = "" if target.verdict is Verdict.VALID else " (void)"
    return f"{target.correct_matches_per_s:,.1f}{void}"


def _violations(target: TargetFigures) -> str:
    return _counts(target.violations) if target.violations else "none"


def _per_million(target: TargetFigures) -> str:
    found = target.violations_per_million_joins
    return ", ".join(f"{name} {rate:,.0f}" for name, rate in found.items()) or NOTHING


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} × {count:,}" for name, count in counts.items()) or NOTHING


def spread_text(spread: Spread) -> str:
    """Percentiles and the highest: `p50 / p95 / p99 / max`."""
    values = (spread.p50, spread.p95, spread.p99, spread.max)
    return NOTHING if spread.p50 is None else " / ".join(_number(value) for value in values)


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _pairs(pairs: Pairs) -> str:
    if not pairs.attempted:
        return NOTHING
    text = f"{pairs.connected} of {pairs.attempted}"
    if pairs.success_rate is not None:
        text += f" = {pairs.success_rate:.0%}"
    if pairs.interval_95 is not None:
        text += f" ({pairs.interval_95[0]:.0%}–{pairs.interval_95[1]:.0%})"
    return text


def _arrivals(target: TargetFigures) -> str:
    if target.offered_per_s is None or target.achieved_per_s is None:
        return NOTHING
    return f"{target.offered_per_s:,.1f} → {target.achieved_per_s:,.1f}"


def _ideal(target: TargetFigures) -> str:
    if target.ideal_excess_ms is None or target.mean_wait_ms is None or target.ideal_wait_ms is None:
        return NOTHING
    return f"{target.ideal_excess_ms:+,.1f} ms ({target.mean_wait_ms:,.1f} of {target.ideal_wait_ms:,.1f})"


def _ceiling(target: TargetFigures) -> str:
    ceiling = target.ceiling
    if ceiling is None:
        return NOTHING
    if ceiling.users_per_s is None:
        return "no step held"
    least = "at least " if ceiling.generator_was_limit or ceiling.broke_users_per_s is None else ""
    return f"{least}{ceiling.correct_matches_per_s or 0.0:,.1f} at {ceiling.users_per_s:,.4g}"


def _costs(target: TargetFigures) -> str:
    costs = target.costs
    if costs is None:
        return NOTHING
    values = (costs.statements, costs.wal_bytes, costs.dead_tuples, costs.frames)
    return " / ".join(NOTHING if value is None else _number(value) for value in values)


def _joining(target: TargetFigures) -> str:
    rate = target.joining
    if rate is None:
        return NOTHING
    matches = f"{rate.correct_matches_per_s:,.0f} correct matches/s"
    return f"{matches}, {rate.joins_per_s:,.0f} joins/s ({rate.of_noop:.0%} of {rate.noop_per_s:,.0f})"


def _heartbeats(target: TargetFigures) -> str:
    unanswered = f", {target.heartbeats_unanswered:,} had none" if target.heartbeats_unanswered else ""
    return spread_text(target.heartbeat_ms) + unanswered


def _sockets_lost(target: TargetFigures) -> str:
    """Said where there were heartbeats, for only sockets that stand for a while have any."""
    return f"{target.sockets_lost:,}" if target.sockets_lost or target.heartbeat_ms.count else NOTHING


def _generator(target: TargetFigures) -> str:
    health = target.generator
    if health is None:
        return NOTHING
    return f"{_number(health.loop_lag_p99_ms)} / {_number(health.loop_lag_max_ms)}, {health.cpu:.0%}"


def sentence_of(run: StoredRun) -> str:
    """The run in one sentence: its verdict and why, and how many thresholds are broken."""
    verdict = run.verdict.value if isinstance(run.verdict, Verdict) else run.verdict
    text = f"{verdict}: {run.reason}" if run.reason else verdict
    thresholds = [one for target in figures_of(run) for one in target.thresholds]
    if broken := sum(not one.held for one in thresholds):
        text += f"; {broken} of {len(thresholds)} thresholds broken"
    return f"{text} (interrupted: what follows is partial)" if run.interrupted else text
