"""Samples in a few numbers: percentiles, and the interval of a rate."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence

from harness.results.connections import Level
from harness.results.run import Quantile
from harness.results.spread import Spread

_SAMPLES = 1000
"""So many measurements of a figure are kept, for comparing."""
_PERCENTS = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)


def spread_ms(seconds: Sequence[float]) -> Spread:
    """How these times spread, in milliseconds."""
    if not seconds:
        return Spread()
    p50, p90, p95, p99, top = _at(seconds, (50.0, 90.0, 95.0, 99.0, 100.0))
    return Spread(count=len(seconds), p50=p50, p90=p90, p95=p95, p99=p99, max=top)


def quantiles_ms(seconds: Sequence[float]) -> tuple[Quantile, ...]:
    """The distribution of these times as points for a percentile plot."""
    if not seconds:
        return ()
    values = _at(seconds, _PERCENTS)
    return tuple(Quantile(percent=p, at_most_ms=value) for p, value in zip(_PERCENTS, values, strict=True))


def samples_ms(spans: Iterable[tuple[float, float]]) -> tuple[float, ...]:
    """How long these spans took, in milliseconds, in the order of their beginnings; of more than 1,000 so many."""
    seconds = [end - start for start, end in sorted(spans)]
    count = min(len(seconds), _SAMPLES)
    return tuple(round(seconds[n * len(seconds) // count] * 1000, 3) for n in range(count))


def level(values: Sequence[float], worst: Callable[[Sequence[float]], float]) -> Level:
    """The median of these values, and the worst of them (`max` for a loss, `min` for a score)."""
    if not values:
        return Level()
    return Level(count=len(values), median=round(statistics.median(values), 4), worst=round(worst(values), 4))


def wilson_95(successes: int, trials: int) -> tuple[float, float] | None:
    """The 95 % Wilson score interval of a success rate (E. B. Wilson, 1927); None without a trial."""
    return wilson_of_trials(successes, trials) if trials else None


def wilson_of_trials(successes: int, trials: int) -> tuple[float, float]:
    """The same of at least one trial."""
    z = 1.959963984540054
    rate = successes / trials
    scale = 1 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return round(low, 4), round(high, 4)


def _at(seconds: Sequence[float], percents: Iterable[float]) -> list[float]:
    """The values at these percentiles, in milliseconds: the least measurement that so many of all do not exceed."""
    ordered = sorted(seconds)
    places = (max(1, math.ceil(round(percent / 100 * len(ordered), 6))) for percent in percents)
    return [round(max(0.0, ordered[place - 1]) * 1000, 3) for place in places]
