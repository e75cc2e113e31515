"""What users cost in memory is taken at the moment when the most of them were there."""

from __future__ import annotations

import pytest

from harness.load.memory import UsersMemory, resident


def test_growth_by_user_when_the_most_were_there():
    """The growth since before anybody came, at the largest number of users; later readings with fewer do not count."""
    readings = iter([100e6, 110e6, 130e6, 131e6, 500e6])
    memory = UsersMemory(lambda: int(next(readings)))
    for users in (250, 1000, 1000, 400):
        memory.note(users)
    assert memory.figures() == {"memory_mb": 500.0, "kb_per_user": pytest.approx(31.0)}


def test_few_users_say_nothing():
    """With fewer than 200 the growth is the program's own."""
    memory = UsersMemory(lambda: 100_000_000)
    memory.note(199)
    assert memory.figures() == {"memory_mb": 100.0, "kb_per_user": None}


def test_a_process_has_some_memory():
    """The reading is of this process, in bytes."""
    assert 10e6 < resident() < 100e9
