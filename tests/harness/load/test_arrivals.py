"""Schedules are computed before the run, and only from their text and seed."""

from __future__ import annotations

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Trouble
from harness.load.arrivals import Closed, ends_by_itself, schedule


def dues(text: str, users: int | None = 10, duration: float | None = None, **more) -> list[float]:
    plan = schedule(text, users=users, duration=duration, **{"rate": 10.0, "seed": 1, **more})
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
    assert sorted(arrival.n for share in shares for arrival in share.arrivals) == list(range(users))
    assert all(share.arrivals == sorted(share.arrivals, key=lambda arrival: arrival.due) for share in shares)


@pytest.mark.parametrize(
    ("text", "rate", "users", "says"),
    [
        ("wave", 1.0, 1, "“wave” is no arrival schedule: use constant, poisson, burst, ramp"),
        ("poison", 1.0, 1, "did you mean poisson? use"),
        ("poisson-rampe:1..2/s@3s", 1.0, 1, "did you mean poisson-ramp?"),
        ("burst:0/0.1s@1s", 1.0, 1, "0 is no number above 0"),
        ("burst:5/1.2.3s@1s", 1.0, 1, "no burst schedule: write burst:SIZE/WINDOWs@EVERYs"),
        ("ramp:1..5", 1.0, 1, "“ramp:1..5” is no ramp schedule: write ramp:FROM..TO/s@SECONDSs"),
        ("ramp:0..0/s@5s", 1.0, 1, "“ramp:0..0/s@5s” brings nobody"),
        ("step:9..5+1/s@5s", 1.0, 1, "takes no steps upwards"),
        ("spike:9..5/s@5s+1s", 1.0, 1, "is no spike: let the peak be above the base"),
        ("constant:5/s@0s", 1.0, 1, "0 is no number above 0"),
        ("trace:", 1.0, 1, "“trace:” is no trace schedule: write trace:FILE"),
        ("closed:0", 1.0, 1, "“closed:0” is no closed schedule: write closed:USERS"),
        ("closed:5,constant", 1.0, 1, "is no closed schedule"),
        ("poisson", 1.0, None, "“poisson” never ends: say how many users come, or for how long"),
        ("closed:5", 1.0, None, "“closed:5” never ends"),
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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("constant,poisson", "a phase before the last has no end: add \\*USERS to it, or @SECONDSs"),
        ("constant*0", "“0” is no number of users"),
        ("constant*x,poisson", "“x” is no number of users"),
        ("constant*2,", "use constant, poisson, burst"),
    ],
)
def test_phases_that_say_nothing_are_refused(text, says):
    """The trouble names the phase and what it lacks."""
    with pytest.raises(Trouble, match=says):
        schedule(text, users=10, rate=1.0, duration=None, seed=1)


def test_phases_may_last_some_seconds():
    """A phase with `@SECONDSs` ends at its time, and the next starts there."""
    assert dues("constant:2/s@1.25s,constant:10/s@0.2s,trace-free*1".replace("trace-free", "constant:1/s")) == [
        0.0, 0.5, 1.0, 1.25, 1.35, 1.45,
    ]  # fmt: skip


def counted(due: list[float], first: float, last: float) -> int:
    return sum(first <= at < last for at in due)


def test_a_ramp_comes_faster_and_faster():
    """From 0 to 40 per second within 10 s: 200 users, of whom a quarter comes in the first half."""
    due = dues("ramp:0..40/s@10s", users=None)
    assert len(due) == 200
    assert counted(due, 0, 5) == pytest.approx(50, abs=1)
    assert due == sorted(due)
    assert max(due) < 10


def test_a_ramp_may_go_down():
    """From 40 to 0 it is the same, mirrored."""
    due = dues("ramp:40..0/s@10s", users=None)
    assert len(due) == 200
    assert counted(due, 0, 5) == pytest.approx(150, abs=1)


def test_steps_go_up():
    """Each step has its rate for its time, the last included; then it is over."""
    due = dues("step:10..30+10/s@2s", users=None)
    assert [counted(due, at, at + 2) for at in (0, 2, 4, 6)] == [20, 40, 60, 0]


def test_a_spike_rises_and_is_over():
    """The base before, the peak, the base after."""
    due = dues("spike:5..50/s@4s+2s", users=None)
    assert [counted(due, *at) for at in ((0, 4), (4, 6), (6, 10), (10, 99))] == [20, 100, 20, 0]


def test_what_changes_can_come_by_chance():
    """`poisson-ramp` has the ramp's rates with a Poisson process's gaps, the same for the same seed."""
    even, odd = dues("ramp:0..100/s@40s", users=None), dues("poisson-ramp:0..100/s@40s", users=None)
    assert odd == dues("poisson-ramp:0..100/s@40s", users=None)
    assert len(odd) == pytest.approx(2000, rel=0.1)
    assert counted(odd, 0, 20) == pytest.approx(counted(even, 0, 20), rel=0.2)
    gaps = [b - a for a, b in itertools.pairwise(due for due in odd if due > 30)]
    assert statistics.stdev(gaps) > 0.7 * statistics.mean(gaps)


RATES = st.floats(0.5, 200)
LENGTHS = st.floats(0.5, 20)


@given(st.lists(st.tuples(RATES, RATES, LENGTHS), min_size=1, max_size=4), st.booleans(), st.integers(0, 9))
def test_ramps_in_a_row_keep_to_their_rates(ramps, poisson, seed):
    """Dues ascend and stay within the whole length; evenly paced ones are as many as the area below the line."""
    form = "poisson-ramp" if poisson else "ramp"
    text = ",".join(f"{form}:{first:.3f}..{last:.3f}/s@{seconds:.3f}s" for first, last, seconds in ramps)
    due = dues(text, users=None, seed=seed)
    assert due == sorted(due)
    assert all(0 <= at <= sum(seconds for *_, seconds in ramps) + 0.01 for at in due)
    if not poisson:
        area = sum((first + last) / 2 * seconds for first, last, seconds in ramps)
        assert len(due) == pytest.approx(area, abs=1 + len(ramps))


@given(st.text(max_size=30))
def test_any_text_is_a_schedule_or_trouble(text):
    """Nothing that can be written ends in anything but a schedule or one clear sentence."""
    try:
        plan = schedule(text, users=5, rate=10.0, duration=5.0, seed=1)
    except Trouble as trouble:
        assert trouble.remedy
    else:
        assert len(plan.arrivals) <= 5


@given(st.integers(1, 40), st.integers(1, 100), st.integers(1, 7))
def test_a_closed_model_is_shared_without_room_to_spare(room, users, workers):
    """All users are somebody's, and all processes together have as many at once as was asked for."""
    plan = schedule(f"closed:{room}", users=users, rate=1.0, duration=None, seed=1)
    shares = [plan.share(worker, workers) for worker in range(workers)]
    assert sorted(arrival.n for share in shares for arrival in share.arrivals) == list(range(users))
    assert sum(share.closed.users for share in shares) == room
    assert all(share.closed.users for share in shares if share.arrivals)


def test_a_closed_model_may_be_limited_by_time_alone():
    """Nobody knows how many will come; each has the seed that he would have in any model."""
    plan = schedule("closed:3", users=None, rate=1.0, duration=2.5, seed=7)
    assert (plan.closed, plan.ends) == (Closed(3, 2.5), False)
    assert plan.arrivals[12].seed == schedule("constant", users=20, rate=1.0, duration=None, seed=7).arrivals[12].seed


@pytest.mark.parametrize(
    ("text", "ends"),
    [("poisson", False), ("poisson*5", True), ("poisson@5s", True), ("ramp:1..5/s@9s", True), ("closed:4", False)],
)
def test_it_can_be_asked_whether_a_schedule_ends(text, ends):
    """Without an end somebody must say how many come."""
    assert ends_by_itself(text) is ends
