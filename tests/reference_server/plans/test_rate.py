"""Rates over a minute in ticks of five seconds, on a clock that the test moves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reference_server.plans.rate import BUCKETS, TICK, RateCounter
from tests.reference_server.pieces import Clock


def counter(limit: float | None) -> tuple[RateCounter, Clock]:
    clock = Clock()
    return RateCounter(limit, clock), clock


def test_a_burst_is_noticed_at_the_end_of_its_tick() -> None:
    """Within the tick nothing trips; at its end the average is over that tick alone."""
    rate, clock = counter(100)
    rate.add(500)
    clock.time += TICK - 0.01
    assert (rate.exceeded, rate.average) == (False, 0.0)
    clock.time += 0.02
    assert (rate.exceeded, rate.average) == (True, 100.0)


def test_it_clears_when_the_average_falls_below() -> None:
    """Quiet ticks thin the burst out."""
    rate, clock = counter(100)
    rate.add(999)
    clock.time += TICK
    assert rate.exceeded
    clock.time += TICK
    assert not rate.exceeded
    assert rate.average == 999 / 2 / TICK


def test_the_window_is_a_minute() -> None:
    """What is older than twelve ticks counts no more, however long nobody looked."""
    rate, clock = counter(1)
    rate.add(10_000)
    clock.time += TICK * BUCKETS
    assert rate.exceeded
    clock.time += TICK
    assert rate.average == 0.0
    clock.time += 1e6
    assert rate.average == 0.0


def test_without_a_limit_nothing_trips() -> None:
    """None is no ceiling."""
    rate, clock = counter(None)
    rate.add(10**9)
    clock.time += TICK
    assert not rate.exceeded


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 40)), max_size=30))
def test_looking_changes_nothing(steps: list[tuple[int, float]]) -> None:
    """A counter that is looked at often says the same at the end as one that is looked at once."""
    one, two, clock = RateCounter(7, clock := Clock()), RateCounter(7, clock), clock
    for count, wait in steps:
        one.add(count)
        two.add(count)
        clock.time += wait
        assert one.average >= 0
    assert one.average == two.average
