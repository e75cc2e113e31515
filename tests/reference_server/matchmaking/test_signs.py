"""Signs of life: few of them are written, and yet an entry lives as if each had been."""

from __future__ import annotations

import random
from uuid import UUID

import pytest

from reference_server.matchmaking.signs import SignsOfLife

ONE, OTHER = UUID(int=1), UUID(int=2)
TTL = 120.0


def test_the_first_sign_is_due_and_the_next_is_held():
    """Until the written one is old enough a sign changes nothing; then it goes with whatever is written."""
    signs = SignsOfLife(60.0)
    signs.show(ONE, 10.0)
    assert signs.take() == {ONE: 10.0}
    signs.show(ONE, 13.0)
    assert signs.take() == {}
    signs.show(ONE, 70.0)
    assert signs.take() == {ONE: 70.0}


def test_a_sign_that_was_held_is_due_when_no_other_comes():
    """His last word counts, and is written in time."""
    signs = SignsOfLife(60.0)
    signs.show(ONE, 10.0)
    signs.take()
    signs.show(ONE, 40.0)
    assert (signs.settle(69.0), signs.settle(70.0), signs.take()) == (False, True, {ONE: 40.0})
    assert not signs.settle(100.0)


def test_what_could_not_be_written_is_due_again():
    """Or what its user has shown since."""
    signs = SignsOfLife(60.0)
    signs.show(ONE, 10.0)
    signs.show(OTHER, 11.0)
    failed = signs.take()
    signs.show(ONE, 12.0)
    signs.put_back(failed)
    assert signs.take() == {ONE: 12.0, OTHER: 11.0}


@pytest.mark.parametrize("seed", range(20))
def test_an_entry_lives_as_if_each_sign_were_written(seed: int):
    """Signs at random, passes at random, a sweep every quarter of the life: no entry is taken for older than it is."""
    chance, signs = random.Random(seed), SignsOfLife(TTL / 2)
    written = shown = now = 0.0
    sweep = TTL / 4
    for _ in range(3_000):
        now += chance.expovariate(1 / chance.choice([1.0, 10.0, 80.0]))
        while sweep <= now:
            signs.settle(sweep)
            written = max(written, signs.take().get(ONE, written))
            assert sweep - written < TTL or sweep - shown >= TTL
            sweep += TTL / 4
        if chance.random() < 0.5:
            written = max(written, signs.take().get(ONE, written))
            assert now - written < TTL or now - shown >= TTL
        else:
            shown = now
            signs.show(ONE, now)
