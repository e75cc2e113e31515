"""What became of one user: his journey in a few facts, and the spans that it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.peer.stage import Stage


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch of a journey: `join`, `match`, `connect`, `signal` or `talk`.

    `started` is in seconds of the recorder's clock (for `join` and `match`: when the user was due). `error` says in a
    few words what went wrong; it is empty when nothing did.
    """

    name: str
    started: float
    seconds: float
    error: str = ""


Report = Callable[[Span], None]
"""Is given each span as it ends. A wait that was cut off by the end of the run is no span."""


@dataclass(frozen=True, slots=True)
class Journey:
    """How far a user came."""

    user: str
    joined: bool
    """Whether his join was not refused."""
    late: float
    """How many seconds after its due time his join was sent."""
    session: str = ""
    """The session that he saw; empty when he was never matched."""
    stage: Stage = Stage.MATCH
    """Where his handshake ended."""

    @property
    def matched(self) -> bool:
        """Whether he saw a match."""
        return bool(self.session)


def unreported(_: Span) -> None:
    """The report of nobody."""
