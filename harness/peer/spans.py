"""The steps of a handshake, and when each was first reached."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """A step, in the order in which a handshake takes them."""

    MATCHED = "matched"
    OFFER_SENT = "offer_sent"
    OFFER_RECEIVED = "offer_received"
    ANSWER = "answer"
    """Sent by the answerer, received by the offerer."""
    FIRST_CANDIDATE = "first_candidate"
    """The other side's first candidate came."""
    GATHERED = "gathered"
    """This side has all of its own candidates (aiortc sends nothing before)."""
    ICE = "ice"
    DTLS = "dtls"
    OPEN = "open"
    """The data channel."""
    FIRST_DATA = "first_data"
    FIRST_MEDIA = "first_media"
    CONNECTED = "connected"
    """Everything that was asked for went both ways."""


class Spans:
    """Seconds from the match to each step that was reached.

    Args:
        clock: monotonic seconds.
        matched: when the match was seen, on that clock.
    """

    def __init__(self, clock: Callable[[], float], matched: float) -> None:
        self._clock = clock
        self._matched = matched
        self.times: dict[str, float] = {Step.MATCHED.value: 0.0}

    def mark(self, step: Step) -> None:
        """This step is reached now; only the first time counts."""
        self.times.setdefault(step.value, self.now())

    def now(self) -> float:
        """Seconds since the match."""
        return round(self._clock() - self._matched, 6)
