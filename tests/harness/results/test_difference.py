"""The intervals hold what they promise: against tables, and over hundreds of series with noise of a fixed seed."""

from __future__ import annotations

import random
from functools import partial

import pytest

from harness.results.difference import (
    _aside,
    paired_difference,
    percentile,
    quickest_difference,
    share_difference,
    signed_rank,
)

MEDIAN = partial(percentile, percent=50)
TRIES = 400


def series(random_: random.Random, added: float = 0.0) -> list[float]:
    """Answer times of 200 joins, in ms: skewed, each like the one before, with a spell of a busy machine."""
    busy = random_.randrange(160)
    level, found = 0.0, []
    for n in range(200):
        level = 0.8 * level + random_.gauss(0, 0.3)
        spell = 6.0 if busy <= n < busy + 30 else 0.0
        found.append(4.0 + added + abs(level) + random_.expovariate(1.0) + spell)
    return found


@pytest.mark.parametrize(("count", "outside"), [(8, 0), (10, 3), (15, 15), (20, 37), (25, 68)])
def test_the_critical_values_are_those_of_the_tables(count: int, outside: int) -> None:
    """Wilcoxon's signed-rank test at 1 %, both sides: the tables name the largest sum that is still significant."""
    assert _aside(count) == outside


def test_series_of_one_source_hardly_ever_differ() -> None:
    """Of 400 pairs no more than a few have an interval that leaves out zero by a millisecond."""
    random_ = random.Random(1)
    found = [paired_difference(series(random_), series(random_), MEDIAN) for _ in range(TRIES)]
    alarms = [one for one in found if one is not None and (one.low > 1 or one.high < -1)]
    assert None not in found
    assert len(alarms) <= TRIES * 0.01


def test_five_milliseconds_are_always_seen() -> None:
    """Of 400 pairs each has an interval that lies above the margin, and nearly all contain the truth."""
    random_ = random.Random(2)
    found = [paired_difference(series(random_), series(random_, 5.0), MEDIAN) for _ in range(TRIES)]
    assert all(one is not None and one.low > 1.5 for one in found)
    assert sum(one is not None and one.low <= 5 <= one.high for one in found) >= TRIES * 0.97


def busy(random_: random.Random, added: float = 0.0) -> list[float]:
    """The same on a machine that delays nearly every answer, by 20 ms in the mean: four times what is looked for."""
    return [value + random_.expovariate(1 / 20) * (random_.random() < 0.85) for value in series(random_, added)]


def test_the_quickest_answers_show_what_the_median_does_not() -> None:
    """Of 60 pairs on a busy machine all have an interval above 2 ms; that of the median is above in a few alone."""
    random_ = random.Random(4)
    pairs = [(busy(random_), busy(random_, 5.0)) for _ in range(60)]
    quickest = [quickest_difference(base, new, 5.0) for base, new in pairs]
    medians = [paired_difference(base, new, MEDIAN) for base, new in pairs]
    assert sum(one is not None and one.low > 2 for one in quickest) >= 57
    assert sum(one is not None and one.low > 2 for one in medians) <= 30


def test_the_quickest_answers_of_one_source_do_not_differ() -> None:
    """Neither on a quiet machine nor on a busy one."""
    random_ = random.Random(5)
    found = [quickest_difference(source(random_), source(random_), 5.0) for source in (series, busy) for _ in range(60)]
    assert [one for one in found if one is None or one.low > 1 or one.high < -1] == []


def test_a_series_beside_itself() -> None:
    """No difference at all, and no width."""
    values = series(random.Random(3))
    assert paired_difference(values, values, MEDIAN) == (0, 0, 0)
    assert quickest_difference(values, values, 5.0) == (0, 0, 0)


def test_too_few_values_say_nothing() -> None:
    """Fewer than eight slices of five have no interval of 99 %."""
    assert paired_difference(range(39), range(100), MEDIAN) is None
    assert paired_difference(range(40), range(100), MEDIAN) is not None
    assert paired_difference((), (), MEDIAN) is None
    assert quickest_difference(range(39), range(100), 5.0) is None
    assert quickest_difference((), (), 5.0) is None


def test_one_wild_slice_does_not_decide() -> None:
    """Nineteen differences of nearly nothing and one of a minute: the interval stays near nothing."""
    found = signed_rank([0.1 * (-1) ** n for n in range(19)] + [60_000])
    assert -1 < found.low <= found.estimate <= found.high < 1


@pytest.mark.parametrize(
    ("counts", "differs"),
    [
        ((95, 100, 96, 100), False),
        ((95, 100, 50, 100), True),
        ((0, 200, 1, 200), False),
        ((0, 200, 20, 200), True),
        ((1, 1, 0, 1), False),
        ((24, 24, 24, 24), False),
    ],
)
def test_shares(counts: tuple[int, int, int, int], differs: bool) -> None:
    """An interval that leaves out zero is a difference; it always contains the estimate."""
    found = share_difference(*counts)
    assert found.low <= found.estimate <= found.high
    assert (found.low > 0 or found.high < 0) is differs
