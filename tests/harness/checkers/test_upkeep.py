"""Polls, heartbeats and lost sockets are counted from the ops."""

from __future__ import annotations

from harness.checkers.figures import figures
from harness.checkers.judge import judge
from harness.checkers.timeline import by_kind
from harness.checkers.upkeep import upkeep_of
from harness.history.op import Op, Outcome, Via
from harness.target import Budgets


def op(kind: str, start: float, end: float | None, user: str = "A", outcome: Outcome = Outcome.OK) -> Op:
    return Op(1, start, end, "t.swarm.0", user, "d1", kind, outcome, Via.WS)


def test_answers_are_timed():
    """A heartbeat and a poll take from their sending to their answer; a poll that was refused has none."""
    refused = op("poll", 3, 3.1, outcome=Outcome.FAIL)
    found = upkeep_of(by_kind([op("heartbeat", 1, 1.5), op("poll", 2, 2.25), refused, op("join", 0, 9)]))
    assert (found.beats, found.polls, found.unanswered, found.lost) == ([0.5], [0.25], 0, 0)


def test_a_heartbeat_without_an_answer_counts_where_the_socket_stood():
    """Not when the user closed it within a second or the run ended, but when it stood, or broke for want of answers."""
    silent = [op("heartbeat", 10, None, user, Outcome.INFO) for user in ("quit", "stood", "broke")]
    ends = [op("disconnect", 10.5, 10.6, "quit"), op("disconnect", 20, 20.1, "stood"), op("lost", 35, 35, "broke")]
    found = upkeep_of(by_kind([*silent, *ends, op("heartbeat", 34.5, None, "last", Outcome.INFO)]))
    assert (found.unanswered, found.lost) == (2, 1)


def test_they_are_figures_of_the_run():
    """They stand in the run, with their spread."""
    ops = [op("join", 0, 1), op("heartbeat", 1, 1.5), op("poll", 2, 2.25), op("lost", 4, 4)]
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert (measured.heartbeat_ms.count, measured.poll_ms.count, measured.sockets_lost) == (1, 1, 1)
    assert 499 <= measured.heartbeat_ms.p99 <= 501
