"""Beats over a data channel, which tell of a dead path long before ICE consent does; pure."""

from __future__ import annotations

MISSES = 3
"""So many beats in a row without an answer make a connection `disconnected`."""
_PING, _PONG = "ping ", "pong "
_REMEMBERED = 64


def answer_to(message: str | bytes) -> str | None:
    """What to answer to a beat of the other side; None for anything else."""
    if isinstance(message, str) and message.startswith(_PING):
        return _PONG + message.removeprefix(_PING)
    return None


class Heartbeat:
    """Our beats and their answers. Times are seconds of any one monotonic clock."""

    def __init__(self) -> None:
        self.missed = 0
        """Beats in a row before the latest that had no answer."""
        self.answered = 0
        self.rtt: float | None = None
        """The mean round trip."""
        self._sent = 0
        self._waiting: dict[str, float] = {}

    @property
    def dead(self) -> bool:
        """Whether the other side is out of reach."""
        return self.missed >= MISSES

    def beat(self, now: float) -> str:
        """The next beat to send; a beat before it that is still without an answer counts as missed."""
        self.missed += bool(self._waiting)
        self._sent += 1
        self._waiting[f"{_PONG}{self._sent}"] = now
        if len(self._waiting) > _REMEMBERED:
            del self._waiting[next(iter(self._waiting))]
        return f"{_PING}{self._sent}"

    def heard(self, message: str | bytes, now: float) -> None:
        """Takes an answer to one of our beats, which shows life and gives a round trip; ignores anything else."""
        sent = self._waiting.pop(message, None) if isinstance(message, str) else None
        if sent is None:
            return
        self.missed = 0
        self.answered += 1
        round_trip = now - sent
        self.rtt = round_trip if self.rtt is None else self.rtt + (round_trip - self.rtt) / self.answered
        self._waiting = {answer: at for answer, at in self._waiting.items() if at > sent}
