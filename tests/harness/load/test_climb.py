"""The way to a ceiling: strides up, halves back, and the best of five on both sides of the edge."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from harness.load.climb import RATIO, Climb
from harness.results.ceiling import holding


def climbed(climb: Climb, holds: Callable[[float], bool]) -> list[float]:
    """The rates of all steps, in the order in which they were made."""
    made = [climb.rate]
    while climb.told(holds(made[-1])):
        made.append(climb.rate)
        assert len(made) < 60
    return made


@pytest.mark.parametrize("ceiling", [1.3, 5.0, 17.0, 63.0, 640.0, 4000.0])
@pytest.mark.parametrize("first", [1.0, 5.0, 100.0])
def test_it_ends_one_rung_below_what_breaks(ceiling: float, first: float) -> None:
    """Wherever it begins, it ends within a rung of the ceiling, which held thrice, below one that broke thrice."""
    climb = Climb(first, most=20_000.0, least=0.5)
    made = climbed(climb, lambda rate: rate <= ceiling)
    highest = max(rate for rate in made if rate <= ceiling)
    assert ceiling / RATIO * 0.999 < highest <= ceiling
    assert made.count(highest) == 3
    assert made.count(min(rate for rate in made if rate > ceiling)) == 3
    assert len(made) < 30


def test_it_ends_where_nothing_breaks_or_nothing_holds() -> None:
    """At the bounds it was given, and within the grid."""
    up = climbed(Climb(5.0, most=100.0, least=1.0), lambda _: True)
    assert max(up) <= 100.0 < max(up) * RATIO
    down = climbed(Climb(5.0, most=100.0, least=1.0), lambda _: False)
    assert min(down) / RATIO < 1.0 <= min(down)


@pytest.mark.parametrize("lucky", [True, False])
def test_what_one_step_did_by_chance_is_found_out(lucky: bool) -> None:
    """A rate that holds or breaks once, against its habit, is tried again, and most of its steps count."""
    tried: dict[float, int] = {}

    def holds(rate: float) -> bool:
        tried[rate] = tried.get(rate, 0) + 1
        by_chance = tried[rate] == 1 and (20.0 < rate <= 40.0 if lucky else 10.0 < rate <= 20.0)
        return (rate <= 20.0) is not by_chance

    climb = Climb(5.0, most=1000.0, least=1.0)
    climbed(climb, holds)
    assert climb.highest is not None
    assert 20.0 / RATIO < 5.0 * RATIO**climb.highest <= 20.0


@pytest.mark.parametrize(("steps", "holds"), [((1,), True), ((1, 0), None), ((1, 0, 0), False), ((0, 1, 1), True)])
def test_the_majority_counts(steps: tuple[int, ...], holds: bool | None) -> None:
    """One against one is undecided."""
    assert holding([bool(step) for step in steps]) is holds


def test_searches_of_a_sharp_edge_agree() -> None:
    """An edge that blurs by 3 % from step to step: three searches are within 15 % of each other."""
    for seed in range(40):
        chance, found = random.Random(seed), []
        for _ in range(3):
            climb = Climb(5.0, most=1000.0, least=1.0)
            climbed(climb, lambda rate, chance=chance: rate <= 60.0 * chance.uniform(0.97, 1.03))  # type: ignore[misc]
            assert climb.highest is not None
            found.append(RATIO**climb.highest)
        assert max(found) / min(found) < 1.15
