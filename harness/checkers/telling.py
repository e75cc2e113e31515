"""Telling: how findings name users, sessions and moments, and how a witness is put together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from harness.checkers.timeline import Facts, SessionFacts, Sight
from harness.history.lines import op_record
from harness.history.op import Op
from harness.results.finding import Finding

_MOST_WITNESSES = 1000
"""Findings of one requirement beyond so many keep their sentence and lose their witness, to save memory."""
_WAYS = {
    "push": "by push",
    "poll": "by poll",
    "join": "in the reply to a join",
    "look": "by its id",
    "fetch": "by its id",
}


def short(name: str) -> str:
    """An id as a person reads it: its first six characters."""
    return name if len(name) <= 8 else f"{name[:6]}…"


class Teller:
    """Makes the findings of one requirement about one history."""

    def __init__(self, facts: Facts, requirement: str) -> None:
        self._origin = facts.origin
        self._requirement = requirement
        self.findings: list[Finding] = []

    def at(self, moment: float) -> str:
        """A moment, in seconds since the history began."""
        return f"{moment - self._origin:.3f} s"

    def seen(self, sight: Sight) -> str:
        """How a session was seen."""
        return f"seen by {short(sight.op.user)} {_WAYS[sight.op.op]} at {self.at(sight.known)}"

    def until(self, session: SessionFacts) -> str:
        """How long a session certainly lasted, with the reason."""
        if session.seen_active >= session.active_until:
            return f"still shown active by a poll at {self.at(session.seen_active)}"
        if math.isinf(session.active_until):
            return "never ended"
        if session.ender is None or session.ender.start > session.active_until:
            return f"not old enough to end before {self.at(session.active_until)}"
        op = session.ender.op
        return f"not touched before the {op.op} of {short(op.user)} at {self.at(session.ender.start)}"

    def find(
        self, sentence: str, *, users: Sequence[str], witness: Iterable[Op | None], at: float,
        sessions: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Adds a finding. The witness is put in order, and each op taken once."""
        ops = {(op.process, op.n): op for op in witness if op is not None and math.isfinite(op.t0)}
        kept = sorted(ops.values(), key=lambda op: op.t0) if len(self.findings) < _MOST_WITNESSES else []
        self.findings.append(
            Finding(
                requirement=self._requirement,
                sentence=sentence,
                users=tuple(users),
                sessions=tuple(sessions),
                at=at,
                witness=tuple(op_record(op) for op in kept[:6]),
            )
        )
