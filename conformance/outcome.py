"""What became of a requirement's test: its status, how long it took, and what shows it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.requirements import Requirement
from harness.history.lines import op_record
from harness.history.op import Op
from harness.results.finding import Finding
from harness.results.run import ConformVerdict, Status

WITNESS = 6
"""Ops that a witness shows at most."""


class Breach(Exception):
    """The target does not meet the requirement; the finding shows it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


class Inconclusive(Exception):
    """The test met too little to say anything: no contention, no match, a disturbed queue. The text says what."""


class NotOffered(Exception):
    """The target declares that it does not offer what the requirement is about."""


class NotVerified(Exception):
    """The requirement cannot be looked at here; the text says what it would take."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one requirement: `detail` is one sentence (empty for a pass), `seconds` its test's duration."""

    requirement: Requirement
    status: Status
    seconds: float
    detail: str = ""
    finding: Finding | None = None
    chosen: bool = True
    """False where its test was left out of the run."""

    @property
    def line(self) -> str:
        """The outcome as one line of a terminal."""
        head = f"{self.requirement.id} {self.status} {self.seconds:.1f} s"
        return f"{head}  {self.detail}" if self.detail else f"{head}  {self.requirement.title}"

    @property
    def lesson(self) -> str:
        """A breach in full: what was done and what came, what was required and by whom, why it matters, the ops."""
        rule = self.requirement
        text = [
            self.detail,
            f"required: {rule.statement}",
            f"source:   {rule.clause}: {rule.quote}",
            f"matters:  {rule.why}",
        ]
        ops = self.finding.witness if self.finding is not None else ()
        return "\n".join([*text, *(f"witness:  {json.dumps(op)}" for op in ops)])


def broken(
    requirement: str,
    *,
    sent: str,
    came: str,
    users: Iterable[str] = (),
    sessions: Iterable[str] = (),
    witness: Sequence[Op] = (),
) -> Breach:
    """A breach that a test saw with its own eyes: what was done, and what came of it.

    What was required, and why, is the catalogue's to say (see `Outcome.lesson`).
    """
    shown = sorted(witness, key=lambda op: op.t0)[-WITNESS:]
    return Breach(
        Finding(
            requirement=requirement,
            sentence=f"{sent}: {came}",
            users=tuple(users),
            sessions=tuple(sessions),
            at=max((op.t1 or op.t0 for op in shown), default=0.0),
            witness=tuple(op_record(op) for op in shown),
        )
    )


def overall(outcomes: Iterable[Outcome]) -> ConformVerdict:
    """The verdict on a target: a breach decides; doubt comes next; what was not tested makes it partial."""
    statuses = {(outcome.status, outcome.requirement.level) for outcome in outcomes}
    plain = {status for status, _ in statuses}
    if "fail" in plain:
        return "not-conformant"
    if not plain or plain & {"unknown", "error"} or plain <= {"not-verified", "not-applicable"}:
        return "unknown"
    if any(status in {"not-verified", "not-applicable"} for status, level in statuses if level == "MUST"):
        return "partial"
    return "conformant"


def exit_status(outcomes: Iterable[Outcome]) -> int:
    """0 nothing was found wrong, 1 the target is wrong, 2 not enough evidence, 3 our own failure."""
    outcomes = list(outcomes)
    match overall(outcomes):
        case "not-conformant":
            return 1
        case "unknown":
            return 3 if any(outcome.status == "error" for outcome in outcomes) else 2
        case _:
            return 0
