"""Times are drawn by a seed, within bounds, and as often as their distribution says."""

from __future__ import annotations

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.actor.times import Exponential, LogNormal, Times, Uniform, times_of

ALL = [Uniform(1.0, 3.0), Exponential(mean=2.0, most=5.0), LogNormal(median=2.0, sigma=0.6, most=8.0)]


@pytest.mark.parametrize("times", ALL, ids=lambda times: type(times).__name__)
@given(seed=st.integers())
def test_a_draw_is_within_bounds_repeatable_and_takes_one_number(times: Times, seed: int):
    """Never below nothing, never above the longest; the source has then given one number exactly."""
    chance, other = random.Random(seed), random.Random(seed)
    drawn = times.draw(chance)
    assert 0 <= drawn <= times.longest
    assert drawn == times.draw(random.Random(seed))
    other.random()
    assert chance.random() == other.random()


@pytest.mark.parametrize(
    ("times", "mean", "median"),
    [
        (Uniform(1.0, 3.0), 2.0, 2.0),
        (Exponential(mean=2.0, most=200.0), 2.0, 1.386),
        (Exponential(mean=2.0, most=2.0), 0.836, 0.759),
        (LogNormal(median=2.0, sigma=0.6, most=500.0), 2.394, 2.0),
    ],
    ids=str,
)
def test_many_draws_have_the_mean_and_the_median_of_their_distribution(times, mean, median):
    """Those beyond the longest are left out, not laid onto it."""
    chance = random.Random(7)
    drawn = [times.draw(chance) for _ in range(40_000)]
    assert statistics.fmean(drawn) == pytest.approx(mean, rel=0.02)
    assert statistics.median(drawn) == pytest.approx(median, rel=0.02)
    assert sum(one == times.longest for one in drawn) < 10


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(3.0, 1.0), lambda: Uniform(-1.0, 1.0), lambda: Exponential(mean=0.0, most=1.0),
        lambda: Exponential(mean=1.0, most=0.0), lambda: LogNormal(median=0.0, sigma=1.0, most=1.0),
        lambda: LogNormal(median=1.0, sigma=0.0, most=1.0), lambda: LogNormal(median=1.0, sigma=1.0, most=-1.0),
    ],
)  # fmt: skip
def test_what_is_no_distribution_is_refused(make):
    """It is told when it is written, not when it is drawn."""
    with pytest.raises(ValueError, match="is no distribution of times"):
        make()


def test_two_numbers_are_an_even_distribution():
    """As `--talk MIN:MAX` gives them."""
    assert times_of((1.0, 3.0)) == Uniform(1.0, 3.0)
    assert times_of(ALL[1]) is ALL[1]
