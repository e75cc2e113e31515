"""What an instance remembers of the database's refusals."""

from __future__ import annotations

from uuid import uuid4

import pytest

from reference_server.limits import join_limit as module
from reference_server.limits.join_limit import JoinLimit, TooManyJoins
from tests.reference_server.pieces import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> JoinLimit:
    return JoinLimit(10, 60.0, clock)


def test_whoever_was_not_refused_passes(limit: JoinLimit):
    """Nobody is held up on suspicion."""
    limit.check(uuid4())


def test_a_refusal_holds_until_its_time(limit: JoinLimit, clock: Clock):
    """The refused user is refused again with what is left of his time, then passes; others pass all along."""
    user = uuid4()
    assert str(limit.refuse(user, 2.5)) == "Too many attempts. Please wait."
    clock.time += 1.0
    with pytest.raises(TooManyJoins) as caught:
        limit.check(user)
    assert caught.value.retry_after == 2
    limit.check(uuid4())
    clock.time += 1.5
    limit.check(user)


@pytest.mark.parametrize(("seconds", "header"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.01, 2), (59.7, 60)])
def test_retry_after_is_never_too_early(seconds: float, header: int):
    """Whole seconds, rounded up, and never zero (RFC 9110 section 10.2.3)."""
    assert TooManyJoins(seconds).retry_after == header


def test_old_refusals_are_forgotten(limit: JoinLimit, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    """However many users are refused in a day, those whose time has passed are not kept."""
    monkeypatch.setattr(module, "REMEMBERED", 3)
    for _ in range(20):
        clock.time += 1.0
        limit.refuse(uuid4(), 0.5)
        assert len(limit._refused) <= 3
