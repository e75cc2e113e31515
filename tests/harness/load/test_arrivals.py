"""Schedules are computed before the run, and only from their text and seed."""

from __future__ import annotations

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Trouble
from harness.load.arrivals import schedule


def dues(text: str, users: int = 10, rate: float = 10.0, duration: float | None = None, seed: int = 1) -> list[float]:
    plan = schedule(text, users=users, rate=rate, duration=duration, seed=seed)
    return [arrival.due for arrival in plan.arrivals]


def test_constant_arrivals_are_evenly_spaced():
    """At 10 per second the n-th user is due n tenths after the start."""
    assert dues("constant") == pytest.approx([n / 10 for n in range(10)])


def test_a_rate_in_the_text_wins():
    """`constant:2/s` does not look at the rate beside it."""
    assert dues("constant:2/s", users=3) == [0.0, 0.5, 1.0]


def test_a_burst_fits_its_window():
    """32 users are due within 0.1 s, and the next 32 two seconds later."""
    due = dues("burst:32/0.1s@2s", users=64)
    assert max(due[:32]) - min(due[:32]) < 0.1
    assert min(due[32:]) == 2.0
    assert max(due[32:]) < 2.1


def test_poisson_arrivals_come_at_the_rate_and_irregularly():
    """The mean gap is 1/rate, and the gaps are as uneven as an exponential's."""
    due = dues("poisson", users=4000, rate=50.0)
    gaps = [b - a for a, b in itertools.pairwise(due)]
    assert statistics.mean(gaps) == pytest.approx(1 / 50, rel=0.1)
    assert statistics.stdev(gaps) == pytest.approx(1 / 50, rel=0.15)


def test_the_same_seed_gives_the_same_users():
    """A run can be repeated: same dues, same seeds of users; another seed gives others."""
    plans = [schedule("poisson", users=20, rate=5.0, duration=None, seed=seed) for seed in (7, 7, 8)]
    assert plans[0] == plans[1]
    assert plans[0] != plans[2]


def test_users_have_seeds_of_their_own():
    """No two users of a run do the same by accident."""
    plan = schedule("constant", users=500, rate=5.0, duration=None, seed=0)
    assert len({arrival.seed for arrival in plan.arrivals}) == 500


def test_duration_and_users_both_limit():
    """Whichever ends first ends the arrivals."""
    assert len(dues("constant", users=100, duration=1.0)) == 10
    assert len(dues("constant", users=5, duration=1.0)) == 5


@given(st.integers(1, 200), st.integers(1, 7))
def test_workers_share_all_arrivals_and_none_twice(users, workers):
    """Every arrival belongs to exactly one worker, and each worker's are in order of due time."""
    plan = schedule("burst:8/0.1s@1s", users=users, rate=1.0, duration=None, seed=3)
    shares = [plan.share(worker, workers) for worker in range(workers)]
    assert sorted(arrival.n for share in shares for arrival in share) == list(range(users))
    assert all(list(share) == sorted(share, key=lambda arrival: arrival.due) for share in shares)


@pytest.mark.parametrize(
    ("text", "rate", "users", "says"),
    [
        ("wave", 1.0, 1, "“wave” is no arrival schedule: use constant"),
        ("burst:0/0.1s@1s", 1.0, 1, "0 is no number above 0"),
        ("burst:5/1.2.3s@1s", 1.0, 1, "1.2.3 is no number"),
        ("burst:5/2s@1s", 1.0, 1, "a burst of 2 s cannot repeat every 1 s"),
        ("constant", 0.0, 1, "0 arrivals per second is no rate"),
        ("poisson:0/s", 1.0, 1, "0 is no number above 0"),
        ("constant", 1.0, 0, "a swarm of 0 users is none"),
    ],
)
def test_a_bad_schedule_says_what_to_write_instead(text, rate, users, says):
    """Each mistake is one line that names it and the remedy."""
    with pytest.raises(Trouble) as caught:
        schedule(text, users=users, rate=rate, duration=None, seed=0)
    assert says in str(caught.value)
    assert caught.value.remedy


def test_phases_follow_each_other():
    """A phase starts when the next user of the one before would have been due."""
    due = schedule("constant:10/s*3,burst:2/0.1s@1s*3, constant:2/s", users=8, rate=1.0, duration=None, seed=1)
    assert [arrival.due for arrival in due.arrivals] == [0.0, 0.1, 0.2, 0.3, 0.35, 1.3, 1.35, 1.85]


def test_a_last_phase_may_say_how_many_come():
    """Then nobody comes after it, however many were asked for."""
    assert len(schedule("constant:10/s*3", users=100, rate=1.0, duration=None, seed=1).arrivals) == 3


@pytest.mark.parametrize("text", ["constant,poisson", "constant*0", "constant*x,poisson", "constant*2,"])
def test_phases_that_say_nothing_are_refused(text):
    """The forms that there are stand in the trouble."""
    with pytest.raises(Trouble, match="use constant, poisson, or burst"):
        schedule(text, users=10, rate=1.0, duration=None, seed=1)
