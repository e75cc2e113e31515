"""A memory that forgets what nobody asks for."""

from __future__ import annotations

import pytest

from reference_server.remembered import IDLE, Remembered
from tests.reference_server.pieces import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_function_is_asked_once(clock: Clock) -> None:
    """For each key, as long as it is asked for."""
    asked = list[int]()
    memory = Remembered(lambda key: asked.append(key) or -key, 100, clock)
    for _ in range(50):
        clock.time += IDLE / 2
        assert [memory(key) for key in (1, 2)] == [-1, -2]
    assert asked == [1, 2]


def test_what_nobody_asks_for_is_forgotten(clock: Clock) -> None:
    """Users who come one after the other do not add up: those of the last two turns are kept."""
    memory = Remembered(str, 1_000_000, clock)
    lengths = []
    for user in range(10_000):
        clock.time += 0.1
        memory(user)
        lengths.append(len(memory))
    assert max(lengths) <= 2 * IDLE / 0.1 + 2
    clock.time += 2 * IDLE
    memory(-1)
    assert len(memory) == 1


def test_there_are_never_more_than_so_many(clock: Clock) -> None:
    """In a crowd those that were asked for last are kept."""
    asked = list[int]()
    memory = Remembered(lambda key: asked.append(key) or key, 100, clock)
    for key in range(1_000):
        assert memory(key) == key
        assert memory(0) == 0
        assert len(memory) <= 100
    assert asked == list(range(1_000))


def test_what_is_raised_is_not_remembered(clock: Clock) -> None:
    """The next time the function is asked again."""
    answers = iter([1])
    memory = Remembered(lambda _key: {1: "one"}[next(answers, 2)], 10, clock)
    assert memory("a") == "one"
    for _ in range(2):
        with pytest.raises(KeyError):
            memory("b")
