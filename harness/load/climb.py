"""The way to a ceiling: up in strides, back between the last that held and the first that broke, and once more there.

Pure: it says which rate comes next, and is told what became of it.
"""

from __future__ import annotations

RATIO = 1.1
"""Neighbouring rates of the grid differ by so much: two climbs that end one apart agree within 15 %."""
STRIDE = 8
"""Rungs that are climbed at a time while everything holds: 1.1^8 is a little over 2."""
HOLDS = 2
"""So often must the highest rung hold: what only chance lets hold once, it seldom lets hold twice."""


class Climb:
    """Rates on a geometric grid from `first` on, up and down.

    Args:
        first: users per second of the first step, rung 0.
        most: no step is above it.
        least: no step is below it.
    """

    def __init__(self, first: float, most: float, least: float) -> None:
        self._first = first
        self._rung = 0
        self._held: dict[int, int] = {}
        self._broke: int | None = None
        self._top = max(0, self._rung_below(most))
        self._bottom = min(0, -self._rung_below(first * first / least))

    @property
    def rate(self) -> float:
        """Users per second of the step that is to be made now."""
        return float(f"{self._first * RATIO**self._rung:.4g}")

    @property
    def highest(self) -> int | None:
        """The highest rung that held."""
        return max(self._held, default=None)

    def told(self, held: bool) -> bool:
        """Takes what became of the step, and goes to the next one; False when there is none."""
        if held:
            self._held[self._rung] = self._held.get(self._rung, 0) + 1
        else:
            self._broke = self._rung if self._broke is None else min(self._broke, self._rung)
            self._held = {rung: times for rung, times in self._held.items() if rung < self._broke}
        following = self._next()
        if following is None:
            return False
        self._rung = following
        return True

    def _next(self) -> int | None:
        highest, broke = self.highest, self._broke
        if highest is None:
            below = max(self._bottom, (broke or 0) - STRIDE)
            return None if broke is None or broke <= self._bottom else below
        if broke is None:
            return None if highest >= self._top else min(self._top, highest + STRIDE)
        if broke - highest > 1:
            return (broke + highest) // 2
        return highest if self._held[highest] < HOLDS else None

    def _rung_below(self, rate: float) -> int:
        rung = 0
        while self._first * RATIO ** (rung + 1) <= rate * (1 + 1e-9):
            rung += 1
        return rung
