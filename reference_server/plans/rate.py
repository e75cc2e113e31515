"""Counts events against a rate as the real server does: in ticks of 5 s, averaged over a minute; the clock is given."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

TICK = 5.0
BUCKETS = 12


class RateCounter:
    """Events per second, judged at the end of each tick (PROTOCOL 1.8).

    The average is over the last 12 ticks, or over as many as there have been. It trips when it reaches the limit and
    clears when it is below; within a tick nothing changes, so that a burst is noticed up to 5 s late.

    Args:
        limit: events per second; None never trips.
        now: seconds of a monotonic clock.
    """

    def __init__(self, limit: float | None, now: Callable[[], float]) -> None:
        self.limit = limit
        self._now = now
        self._tick_began = now()
        self._count = 0
        self._buckets: deque[int] = deque(maxlen=BUCKETS)

    def add(self, count: int = 1) -> None:
        """Counts events that happen now."""
        if self.limit is not None:
            self._advance()
            self._count += count

    @property
    def average(self) -> float:
        """Events per second as of the end of the last tick; 0 before the first."""
        self._advance()
        return sum(self._buckets) / len(self._buckets) / TICK if self._buckets else 0.0

    @property
    def exceeded(self) -> bool:
        """Whether the limit is reached."""
        return self.limit is not None and self.average >= self.limit

    def _advance(self) -> None:
        ticks = int((self._now() - self._tick_began) / TICK)
        if ticks <= 0:
            return
        self._tick_began += ticks * TICK
        for _ in range(min(ticks, BUCKETS + 1)):
            self._buckets.append(self._count)
            self._count = 0
