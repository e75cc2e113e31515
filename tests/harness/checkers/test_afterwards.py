"""Looks that come when all is over tell who was matched, and the database's rows tell when."""

from __future__ import annotations

from harness.checkers.afterwards import looked_afterwards, told_by_rows
from harness.checkers.figures import figures
from harness.checkers.judge import judge
from harness.history.op import Op, Outcome, Via
from harness.target import Budgets

S = {"id": "s1", "user1": "A", "user2": "B", "status": "active", "offerer": ""}


def op(user: str, kind: str, t0: float, t1: float, due: float | None = None, **value: object) -> Op:
    return Op(1, t0, t1, "t.swarm.0", user, "d1", kind, Outcome.OK, Via.HTTP, dict(value), 0, due)


HISTORY = [
    op("A", "join", 10.0, 10.01, 10.0),
    op("B", "join", 10.5, 10.53, 10.5, session=S),
    op("C", "join", 11.0, 11.01, 11.0),
    op("", "generator", 11.1, 11.1, looks="afterwards", offered=3, started=3),
    op("", "drain", 11.1, 13.0),
    op("A", "poll", 12.9, 12.91, session=S),
    op("B", "poll", 12.9, 12.91, session=S),
    op("C", "poll", 12.9, 12.91, session=None),
]
BORN = op("", "born", 10.52, 10.52, session=S)


def test_rows_say_when() -> None:
    """A waited until the row was made, B until his own join was answered, and C is censored."""
    measured = figures([*HISTORY, BORN], judge([*HISTORY, BORN], Budgets()), "t")
    assert (measured.matches, measured.join_to_match_ms.count, measured.censored_waits) == (1, 2, 1)
    assert measured.mean_wait_ms == 275.0
    assert measured.both_notified_ms.count == 0
    assert measured.unmatched_users == 1


def test_without_rows_only_answers_have_a_time() -> None:
    """Polls that come so late say nothing of waits."""
    measured = figures(HISTORY, judge(HISTORY, Budgets()), "t")
    assert (measured.join_to_match_ms.count, measured.mean_wait_ms, measured.matches) == (1, 30.0, 1)


def test_other_histories_are_left_as_they_are() -> None:
    """Only the generator of such users says so."""
    assert looked_afterwards(HISTORY)
    assert not looked_afterwards([one for one in HISTORY if one.op != "generator"])
    assert [one.op for one in told_by_rows(HISTORY)].count("poll") == 0
