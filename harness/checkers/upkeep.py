"""What it takes to keep waiting users: polls and heartbeats with their answers, and sockets that broke."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.history.op import Op, Outcome

ANSWERED_WITHIN = 1.0
"""A heartbeat without an answer counts only when its socket stood so many seconds longer."""


@dataclass
class Upkeep:
    """Times are in seconds."""

    polls: list[float] = field(default_factory=list)
    """From when a poll was sent until it was answered."""
    beats: list[float] = field(default_factory=list)
    """The same for heartbeats."""
    unanswered: int = 0
    """Heartbeats to which nobody said anything, though the socket stood."""
    lost: int = 0
    """How often a socket broke without its user's doing."""


def upkeep_of(ops: Sequence[Op]) -> Upkeep:
    """The upkeep of the users of a history."""
    found = Upkeep()
    silent: list[Op] = []
    closed: dict[tuple[str, str], list[float]] = {}
    for op in ops:
        if op.op in {"disconnect", "lost"}:
            closed.setdefault((op.user, op.device), []).append(op.t0)
            found.lost += op.op == "lost"
        elif op.op == "heartbeat" and op.t1 is None:
            silent.append(op)
        elif op.outcome is Outcome.OK and op.t1 is not None and op.op in {"heartbeat", "poll"}:
            (found.beats if op.op == "heartbeat" else found.polls).append(op.t1 - op.t0)
    last = max((op.t0 if op.t1 is None else op.t1 for op in ops), default=0.0) if silent else 0.0
    found.unanswered = sum(_stood(beat, closed, last) > ANSWERED_WITHIN for beat in silent)
    return found


def _stood(beat: Op, closed: dict[tuple[str, str], list[float]], last: float) -> float:
    """For how many seconds the socket of a heartbeat stood after it; one that broke counts as one that stood."""
    ends = sorted(closed.get((beat.user, beat.device), ()))
    at = bisect_right(ends, beat.t0)
    return (ends[at] if at < len(ends) else last) - beat.t0
