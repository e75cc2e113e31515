"""Counts over time in bins that double their width before they become too many to draw."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from typing import Any

_MOST = 300


class Series:
    """Events of several kinds by time; bins are a second wide at first."""

    def __init__(self) -> None:
        self._width = 1
        self._bins: dict[str, Counter[int]] = {}
        self._last = 0

    def add(self, name: str, at: float, count: int = 1) -> None:
        """Counts an event at so many seconds."""
        bin_ = max(0, int(at // self._width))
        self._bins.setdefault(name, Counter())[bin_] += count
        self._last = max(self._last, bin_)
        if self._last >= _MOST:
            self._double()

    def _double(self) -> None:
        self._width *= 2
        self._last //= 2
        for name, bins in self._bins.items():
            halved: Counter[int] = Counter()
            for bin_, count in bins.items():
                halved[bin_ // 2] += count
            self._bins[name] = halved

    def shown(self) -> dict[str, Any]:
        """The width of a bin in seconds; per bin the correct matches per second, the users who wait at its end, and
        those who were told by push, by poll or in the reply per second."""
        matches, wrong = self._counted("matches"), self._counted("wrong")
        told = {name: self._rates(self._counted(name)) for name in ("push", "poll", "reply")}
        correct = self._rates([all_ - bad for all_, bad in zip(matches, wrong, strict=True)])
        return {
            "step": self._width,
            "correct": correct,
            "waiting": list(accumulate(self._counted("waiting"))),
            **told,
        }

    def _counted(self, name: str) -> list[int]:
        bins = self._bins.get(name, Counter())
        return [bins[n] for n in range(self._last + 1)]

    def _rates(self, counts: list[int]) -> list[float]:
        return [round(count / self._width, 3) for count in counts]
