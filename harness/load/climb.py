"""The way to a ceiling: up in strides, back between what held and what broke, and there the best of five.

Pure: it says which rate comes next, and is told what became of it.
"""

from __future__ import annotations

from harness.results.ceiling import holding

RATIO = 1.1
"""Neighbouring rates of the grid differ by so much: two climbs that end one apart agree within 15 %."""
STRIDE = 8
"""Rungs that are climbed at a time while everything holds: 1.1^8 is a little over 2."""
SETTLED = 3
"""So often must the highest rung hold, and the next one break: neither is left to the chance of one step."""


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
        self._steps: dict[int, list[bool]] = {}
        self._top = max(0, self._rung_below(most))
        self._bottom = min(0, -self._rung_below(first * first / least))

    @property
    def rate(self) -> float:
        """Users per second of the step that is to be made now."""
        return float(f"{self._first * RATIO**self._rung:.4g}")

    @property
    def highest(self) -> int | None:
        """The highest rung that holds."""
        return max(self._rungs(holds=True), default=None)

    def told(self, held: bool) -> bool:
        """Takes what became of the step, and goes to the next one; False when there is none."""
        self._steps.setdefault(self._rung, []).append(held)
        following = self._next()
        if following is None:
            return False
        self._rung = following
        return True

    def _next(self) -> int | None:
        if holding(self._steps[self._rung]) is None:
            return self._rung
        highest, broken = self.highest, min(self._rungs(holds=False), default=None)
        if highest is None:
            return self._below(broken or 0)
        if broken is None:
            return None if highest >= self._top else min(self._top, highest + STRIDE)
        if broken - highest > 1:
            return (broken + highest) // 2
        return next((rung for rung in (highest, broken) if not self._is_settled(rung)), None)

    def _below(self, broken: int) -> int | None:
        """Where to look when nothing has held yet; the lowest rung of all must break as often as any."""
        if broken > self._bottom:
            return max(self._bottom, broken - STRIDE)
        return None if self._is_settled(broken) else broken

    def _rungs(self, *, holds: bool) -> list[int]:
        return [rung for rung, steps in self._steps.items() if holding(steps) is holds]

    def _is_settled(self, rung: int) -> bool:
        steps = self._steps[rung]
        return max(sum(steps), len(steps) - sum(steps)) >= SETTLED

    def _rung_below(self, rate: float) -> int:
        rung = 0
        while self._first * RATIO ** (rung + 1) <= rate * (1 + 1e-9):
            rung += 1
        return rung
