"""The ideal matcher: each second user takes the one who waits, at once; nobody can be quicker."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import accumulate

import pytest
from msgspec.structs import replace

from harness.checkers.figures import figures
from harness.checkers.ideal import Due, Waits, ideal_waits, waits_of
from harness.checkers.judge import judge
from harness.history.op import Op
from harness.target import Budgets

Story = Callable[[str], list[Op]]


def test_every_second_user_is_waited_for() -> None:
    """In the order of their due times, whatever order they are given in; an odd one has no partner."""
    assert ideal_waits([3.0, 1.0, 2.5, 7.0]) == [1.5, 0.0, 4.0, 0.0]
    assert ideal_waits([1.0, 2.0, 9.0]) == [1.0, 0.0]
    assert ideal_waits([1.0]) == []


def test_poisson_arrivals_wait_half_a_gap() -> None:
    """Poisson arrivals at a rate of λ come to a mean of 1/(2λ)."""
    chance = random.Random(1)
    waits = ideal_waits(accumulate(chance.expovariate(50.0) for _ in range(20_000)))
    assert sum(waits) / len(waits) == pytest.approx(1 / 100, rel=0.03)


def test_the_excess_is_what_the_matcher_added() -> None:
    """Two waited 10 ms longer than they had to, two are not matched: those are in the ideal alone."""
    users = [Due(0.0, 0.11), Due(0.1, 0.01), Due(1.0), Due(1.3)]
    assert waits_of(users) == Waits(60.0, 100.0, -40.0)
    assert waits_of(users[:2]) == Waits(60.0, 50.0, 10.0)
    assert waits_of([Due(0.0), Due(1.0)]) == waits_of([Due(0.0, 0.1)]) == Waits()


def test_figures_hold_it(story: Story) -> None:
    """Waits from the first due time on; a second search of the same user has none, and is no part of it."""
    text = """
        10-10.1   A join
        10-10.1   B join
        10.6      A push X(A,B)
        10.6      B push X(A,B)
        20-20.1   A join
        22        A push Y(A,C)
    """
    due = {("A", 10.0): 9.9, ("B", 10.0): 10.0}
    ops = [replace(op, due=due.get((op.user, op.t0))) if op.op == "join" else op for op in story(text)]
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert (measured.mean_wait_ms, measured.ideal_wait_ms, measured.ideal_excess_ms) == (650.0, 50.0, 600.0)
