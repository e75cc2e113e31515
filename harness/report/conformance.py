"""What the page of a conformance run says: verdicts, breaches with their evidence, doubts, gaps, and the matrix."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.rows import RequirementRow, conformance_of, requirement_rows, shortened
from harness.results.run import ConformRun, RequirementResult, Status
from harness.results.store import StoredRun

_ORDER: tuple[Status, ...] = ("fail", "error", "unknown", "warn", "pass", "not-verified", "not-applicable")
_GROUPS = {
    "MM": "matchmaking", "SG": "signalling", "RT": "Realtime", "REST": "rows and functions over HTTP",
    "REST-RLS": "row-level security", "AUTH": "accounts", "SEC-JWT": "tokens", "SEC-WS": "sockets",
    "LIM": "limits", "TURN": "relay credentials",
}  # fmt: skip


@dataclass(frozen=True)
class Card:
    """One target: its run, how many requirements came out how, and how they were tested."""

    run: ConformRun
    tally: list[tuple[Status, int]]
    left_out: int
    """Requirements whose tests were not chosen."""
    terms: str


@dataclass(frozen=True)
class Case:
    """One requirement on one target that is worth a paragraph."""

    target: str
    result: RequirementResult
    said: str
    wire: list[str]
    """The requests that show it with their answers, each as a text of several lines."""
    again: str

    @property
    def anchor(self) -> str:
        """Where it stands on the page."""
        return anchor(self.target, self.result.id)


@dataclass(frozen=True)
class Group:
    """The requirements of one group, and for each target how many of them came out how."""

    name: str
    title: str
    rows: list[RequirementRow]
    tallies: list[list[tuple[Status, int]]]


@dataclass(frozen=True)
class Report:
    """The page of a conformance run, in the order in which it is read."""

    cards: list[Card]
    broken: list[Case]
    undecided: list[Case]
    unverified: list[tuple[str, str, list[str]]]
    """Target, reason, requirements."""
    groups: list[Group]


def conformance_report(run: StoredRun) -> Report:
    """What the page says of a run of the suite, on one target or on several."""
    runs = conformance_of(run)
    return Report(
        cards=[_card(one) for one in runs],
        broken=_cases(runs, ("fail", "warn")),
        undecided=_cases(runs, ("error", "unknown")),
        unverified=[gap for one in runs for gap in _gaps(one)],
        groups=_groups(runs),
    )


def anchor(target: str, requirement: str) -> str:
    """The name of a place on the page."""
    return "".join(char if char.isalnum() else "-" for char in f"{target}-{requirement}")


def again(run: ConformRun, requirement: str) -> str:
    """The command that tests one requirement again."""
    words = ["gurukul", "conform", run.argument or run.target, "-k", f"{requirement}."]
    if run.argument == run.target and _time(run) == "real":  # a built-in one: a target file says its time itself
        words += ["--time", "real"]
    return shlex.join(words)


def _card(run: ConformRun) -> Card:
    chosen = [result for result in run.requirements if result.chosen]
    levels = sorted({result.evidence for result in chosen if result.status in {"pass", "fail", "warn"}})
    terms = [f"{_time(run)} time"] if _time(run) else []
    terms += [f"evidence {', '.join(levels)}"] if levels else []
    return Card(run, _tally(chosen), len(run.requirements) - len(chosen), " · ".join(terms))


def _time(run: ConformRun) -> str:
    return str(run.fingerprint.settings.get("time", ""))


def _tally(results: Sequence[RequirementResult]) -> list[tuple[Status, int]]:
    counts = Counter(result.status for result in results)
    return [(status, counts[status]) for status in _ORDER if counts[status]]


def _cases(runs: Sequence[ConformRun], statuses: tuple[Status, ...]) -> list[Case]:
    return [
        _case(run, result)
        for run in runs
        for status in statuses
        for result in run.requirements
        if result.status == status and result.chosen
    ]


def _case(run: ConformRun, result: RequirementResult) -> Case:
    said = result.finding.sentence if result.finding is not None else result.detail
    witness = result.finding.witness if result.finding is not None else ()
    wire = [_exchange(op["value"]) for op in witness if "method" in (op.get("value") or {})]
    return Case(run.target, result, shortened(said), wire, again(run, result.id))


def _exchange(value: dict[str, Any]) -> str:
    """A request and its answer as they went over the wire, line by line."""
    lines = [f"> {value['method']} {value.get('url', '')}", *_sent("> ", value.get("headers"), value.get("body"))]
    reply = value.get("reply") or {}
    lines.append(f"< {value.get('status') or 'no answer'}")
    return "\n".join([*lines, *_sent("< ", reply.get("headers"), reply.get("body"))])


def _sent(mark: str, headers: Any, body: Any) -> list[str]:
    named = [f"{mark}{name}: {word}" for name, word in (headers or {}).items()]
    if body in (None, ""):
        return named
    text = body if isinstance(body, str) else json.dumps(body)
    return [*named, mark.rstrip(), *(f"{mark}{line}" for line in text.splitlines())]


def _gaps(run: ConformRun) -> list[tuple[str, str, list[str]]]:
    """What was not verified, by reason."""
    reasons: dict[str, list[str]] = {}
    for result in run.requirements:
        if result.chosen and result.status in {"not-verified", "not-applicable"}:
            reasons.setdefault(result.detail or result.status, []).append(result.id)
    return [(run.target, reason, ids) for reason, ids in reasons.items()]


def _groups(runs: Sequence[ConformRun]) -> list[Group]:
    """The chosen requirements, group by group in the order of the catalogue."""
    found: dict[str, list[RequirementRow]] = {}
    for row in requirement_rows(runs):
        if any(result is not None and result.chosen for result in row.results):
            found.setdefault(row.id.rpartition("-")[0], []).append(row)
    return [
        Group(name, _GROUPS.get(name, ""), rows, [_tally(_column(rows, at)) for at in range(len(runs))])
        for name, rows in found.items()
    ]


def _column(rows: Sequence[RequirementRow], at: int) -> list[RequirementResult]:
    return [result for row in rows if (result := row.results[at]) is not None]
