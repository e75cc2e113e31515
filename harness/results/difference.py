"""Whether two samples differ: paired slices of two runs, shares of two counts. Pure, and the same at every call."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain, pairwise
from typing import NamedTuple

CONFIDENCE = 0.99
"""Of each interval: a run has several figures, and all of them together must raise no false alarm."""
SLICES = 20
_FEWEST = 8
"""With fewer slices no interval has that confidence (2 / 2^8 < 0.01)."""
_PER_SLICE = 5
_BLOCKS, _RESAMPLES = 20, 1000
_Z = 2.5758293035489004
"""Of the normal distribution at 99 %, both sides."""


class Difference(NamedTuple):
    """By how much the new side is above the base, and the 99 % interval of that."""

    estimate: float
    low: float
    high: float


def paired_difference(
    base: Sequence[float], new: Sequence[float], figure: Callable[[Sequence[float]], float]
) -> Difference | None:
    """How a figure of two series differs, slice by slice; None where there are too few values.

    Both series stand in the order of time and are cut into as many slices of equal length: as both runs had the same
    schedule, the n-th slices met the same load. Neighbours are alike, which slices take care of and single values
    would not. The estimate is that of Hodges and Lehmann, the interval that of Wilcoxon's signed-rank test (1945):
    neither minds a slice in which the machine did something else.
    """
    count = min(SLICES, len(base) // _PER_SLICE, len(new) // _PER_SLICE)
    if count < _FEWEST:
        return None
    pairs = zip(_slices(base, count), _slices(new, count), strict=True)
    return signed_rank([figure(after) - figure(before) for before, after in pairs])


def signed_rank(differences: Sequence[float]) -> Difference:
    """The median of all means of two differences, and its interval, from eight differences or more."""
    means = sorted((a + b) / 2 for n, a in enumerate(differences) for b in differences[n:])
    aside = _aside(len(differences))
    return Difference(statistics.median(means), means[aside], means[len(means) - 1 - aside])


def quickest_difference(base: Sequence[float], new: Sequence[float], percent: float) -> Difference | None:
    """How a low percentile of two whole series differs; None where there are too few values.

    What else a machine does can only delay an answer, so that the quickest ones show what the target itself takes,
    long after the median is lost in noise. The interval is that of a moving-block bootstrap (Künsch 1989): blocks, for
    neighbours are alike; and the same blocks of both series, for what stands at the same place in both met the same
    arrivals, and, where both were measured at the same time, the same delays. Its chance has a fixed seed.
    """
    if min(len(base), len(new)) < _FEWEST * _PER_SLICE:
        return None
    sides = [_Resampled(values, percent) for values in (base, new)]
    chance = random.Random(0)
    found = []
    for _ in range(_RESAMPLES):
        places = [chance.random() for _ in range(_BLOCKS)]
        before, after = (side.at(places) for side in sides)
        found.append(after - before)
    found.sort()
    aside = round(_RESAMPLES * (1 - CONFIDENCE) / 2)
    return Difference(percentile(new, percent) - percentile(base, percent), found[aside], found[-1 - aside])


class _Resampled:
    """A low percentile of one series, of blocks drawn from it. Only values that can become it are looked at."""

    def __init__(self, values: Sequence[float], percent: float) -> None:
        length = max(1, len(values) // _BLOCKS)
        self._rank = max(0, math.ceil(length * _BLOCKS * percent / 100) - 1)
        self._bound = percentile(values, min(100.0, 6 * percent))
        low = [value if value <= self._bound else None for value in values]
        self._blocks = [
            [value for value in low[start : start + length] if value is not None]
            for start in range(len(values) - length + 1)
        ]

    def at(self, places: Iterable[float]) -> float:
        """The percentile of the blocks that begin at these places, from 0 (the first) to 1."""
        drawn = sorted(chain.from_iterable(self._blocks[int(place * len(self._blocks))] for place in places))
        return drawn[self._rank] if self._rank < len(drawn) else self._bound


def share_difference(base: int, of_base: int, new: int, of_new: int) -> Difference:
    """How two shares differ, each of at least one: the 99 % interval of Newcombe's method 10 (1998), from Wilson's."""
    before, after = base / of_base, new / of_new
    (low_1, high_1), (low_2, high_2) = _wilson(base, of_base), _wilson(new, of_new)
    difference = after - before
    low = difference - math.hypot(after - low_2, high_1 - before)
    high = difference + math.hypot(high_2 - after, before - low_1)
    return Difference(difference, low, high)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value of that rank (nearest rank); the median is the mean of the middle two."""
    if percent == 50:
        return statistics.median(values)
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def _slices(values: Sequence[float], count: int) -> list[Sequence[float]]:
    edges = [len(values) * n // count for n in range(count + 1)]
    return [values[start:end] for start, end in pairwise(edges)]


@cache
def _aside(count: int) -> int:
    """How many means lie outside of the interval on each side, by the exact distribution of the signed-rank sum."""
    ways = [1]
    for rank in range(1, count + 1):
        more = [0] * rank
        ways = [a + b for a, b in zip(ways + more, more + ways, strict=True)]
    allowed, total = (1 - CONFIDENCE) / 2 * 2**count, 0
    for rank_sum, number in enumerate(ways):
        total += number
        if total > allowed:
            return rank_sum - 1
    return 0


def _wilson(successes: int, trials: int) -> tuple[float, float]:
    rate, scale = successes / trials, 1 + _Z * _Z / trials
    centre = (rate + _Z * _Z / (2 * trials)) / scale
    half = _Z / scale * math.sqrt(rate * (1 - rate) / trials + _Z * _Z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)
