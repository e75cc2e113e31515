"""How far a clock is from another one, from questions that were asked over a network: bounds, not an estimate."""

from __future__ import annotations

from harness.history.clock import Clock

SLEW = 500e-6
"""Seconds per second by which a clock that is being corrected may run fast or slow, at most (adjtime(3), NTP)."""


class Offset:
    """The bounds within which the offset of another clock has been all the time.

    Whoever asks at `sent` and has the answer at `received` knows that the other clock's reading lies between, so that
    its offset was within [reading - received, reading - sent]. Of each window of some seconds the question with the
    shortest round trip counts, and the bounds cover those of all windows, widened by what a clock can drift in one.

    Args:
        window: seconds.
    """

    def __init__(self, window: float = 2.0) -> None:
        self._window = window
        self._number: int | None = None
        self._best = (0.0, 0.0)
        self._hull: tuple[float, float] | None = None

    def heard(self, sent: float, reading: float, received: float) -> None:
        """Takes an answer: the other clock's reading, and when it was asked for and came, by one's own."""
        number, bounds = int(received // self._window), (reading - received, reading - sent)
        if number != self._number:
            self._hull = self._covered()
            self._number, self._best = number, bounds
        elif bounds[1] - bounds[0] < self._best[1] - self._best[0]:
            self._best = bounds

    def clock(self, name: str) -> Clock | None:
        """One's own clock as a journal states it; None where no answer has come."""
        covered = self._covered()
        if covered is None:
            return None
        low, high = covered
        return Clock(name, (low + high) / 2, (high - low) / 2 + SLEW * self._window)

    def _covered(self) -> tuple[float, float] | None:
        if self._number is None:
            return None
        if self._hull is None:
            return self._best
        return min(self._hull[0], self._best[0]), max(self._hull[1], self._best[1])
