"""What it takes to keep waiting users: polls and heartbeats with their answers, and sockets that broke."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.history.op import OK, Op

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


def upkeep_of(kinds: Mapping[str, Sequence[Op]]) -> Upkeep:
    """The upkeep of the users of a history, given as its ops of each kind."""
    beats = kinds.get("heartbeat", ())
    silent = [op for op in beats if op.t1 is None]
    return Upkeep(
        polls=_answered(kinds.get("poll", ())),
        beats=_answered(beats),
        unanswered=_unanswered(silent, kinds) if silent else 0,
        lost=len(kinds.get("lost", ())),
    )


def _answered(ops: Sequence[Op]) -> list[float]:
    return [op.t1 - op.t0 for op in ops if op.outcome is OK and op.t1 is not None]


def _unanswered(silent: Sequence[Op], kinds: Mapping[str, Sequence[Op]]) -> int:
    """How many of the heartbeats without an answer count."""
    closed: dict[tuple[str, str], list[float]] = {}
    for op in (op for kind in ("disconnect", "lost") for op in kinds.get(kind, ())):
        closed.setdefault((op.user, op.device), []).append(op.t0)
    last = max(op.t0 if op.t1 is None else op.t1 for ops in kinds.values() for op in ops)
    return sum(_stood(beat, closed, last) > ANSWERED_WITHIN for beat in silent)


def _stood(beat: Op, closed: dict[tuple[str, str], list[float]], last: float) -> float:
    """For how many seconds the socket of a heartbeat stood after it; one that broke counts as one that stood."""
    ends = sorted(closed.get((beat.user, beat.device), ()))
    at = bisect_right(ends, beat.t0)
    return (ends[at] if at < len(ends) else last) - beat.t0
