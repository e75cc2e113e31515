"""The generator's own notes become figures, and make a run unknown past their bounds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from harness.checkers.figures import figures
from harness.checkers.generator import health_of
from harness.checkers.judge import judge
from harness.history.op import Op, Outcome, Via
from harness.report import rows
from harness.results.finding import Verdict
from harness.target import Budgets

STORY = """
    10-10.1   A join
    10-10.1   B join
    10.5      A push X(A,B)
    10.6      B push X(A,B)
    11-12     A end X
"""
FINE = {"arrivals": "poisson", "offered": 100, "started": 100, "dropped": 0, "loop_lag_p99_ms": 5.0, "cpu": 0.5}


def note(at: float = 20.0, process: str = "t.swarm.0", **changes: object) -> Op:
    return Op(99, at, at, process, "", "", "generator", Outcome.OK, Via.SELF, {**FINE, **changes})


def test_the_last_note_of_each_process_counts():
    """Counts add up over the processes; of times and shares the worst stands."""
    ops = [
        note(9, started=1, dropped=50), note(7, loop_lag_max_ms=999), note(20, loop_lag_max_ms=30, latest_ms=2),
        note(20, "t.swarm.1", loop_lag_p99_ms=9.5, cpu=0.3),
    ]  # fmt: skip
    health = health_of(ops, Budgets())
    assert (health.workers, health.offered, health.started, health.dropped) == (2, 200, 200, 0)
    assert (health.loop_lag_p99_ms, health.loop_lag_max_ms, health.cpu, health.latest_ms) == (9.5, 30, 0.5, 2)
    assert (health.model, health.arrivals, health.trouble) == ("open", "poisson", "")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"loop_lag_p99_ms": 251.0}, "its loop lagged 251 ms at p99 (bound 250 ms)"),
        ({"cpu": 0.97}, "a process of it used 97% of a core (bound 95%)"),
        ({"started": 98, "dropped": 2}, "2 of 100 arrivals found no room (bound 1%)"),
    ],
)
def test_past_a_bound_a_valid_history_is_unknown(story: Callable[[str], list[Op]], changes, says):
    """The reason names what was past it; without the note the same history is valid."""
    ops = [replace(op, process="t.swarm.0") for op in story(STORY)]
    for notes, verdict in ((note(), Verdict.VALID), (note(**changes), Verdict.UNKNOWN)):
        history = [*ops, notes]
        judgement = judge(history, Budgets()).model_copy(update={"verdict": Verdict.VALID})
        measured = figures(history, judgement, "t")
        assert measured.verdict is verdict
        assert (says in measured.reason) is (verdict is Verdict.UNKNOWN)


def test_an_invalid_history_stays_invalid(story: Callable[[str], list[Op]]):
    """What a target did wrong is wrong however the generator did; the doubt is said as well."""
    ops = [*story(STORY), note(cpu=1.0)]
    judgement = judge(ops, Budgets()).model_copy(update={"verdict": Verdict.INVALID, "reason": "MM-S1"})
    measured = figures(ops, judgement, "t")
    assert measured.verdict is Verdict.INVALID
    assert "MM-S1; the generator measured itself" in measured.reason


def test_notes_are_no_part_of_what_is_judged(story: Callable[[str], list[Op]]):
    """A note long after the last op changes nothing of the judgement."""
    ops = story(STORY)
    assert judge([*ops, note(9999.0)], Budgets()) == judge(ops, Budgets())


def test_waits_that_did_not_end_are_counted(story: Callable[[str], list[Op]]):
    """Who waits at the end, and who left: censored. Who left and was matched before that: a wait that ended."""
    text = """
        10-10.1   A join
        10-10.1   B join
        10-10.1   C join
        10.5      A push X(A,B)
        10.2-10.4 B leave
        10.6      B push X(A,B)
        11-11.1   D join
        12-12.1   D leave
        13-13.1   D join
    """
    ops = story(text)
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert measured.join_to_match_ms.count == 2
    assert measured.censored_waits == 3  # C to the end; D once when he left, once to the end


def test_arrivals_that_were_lost_with_their_process_are_counted_apart() -> None:
    """They are dropped, and cost the run only where they are most of it; what others dropped is judged as before."""
    few = health_of([lost_note("t.swarm.0", 100, 0), lost_note("t.swarm.1", 100, 40)], Budgets())
    assert few is not None
    assert (few.lost_workers, few.lost, few.dropped, few.trouble) == (1, 40, 40, "")
    most = health_of([lost_note("t.swarm.0", 100, 0), lost_note("t.swarm.1", 300, 290)], Budgets())
    assert most is not None
    assert "290 of 400 arrivals were lost with 1 of 2 processes (bound 50%)" in most.trouble


def lost_note(process: str, offered: int, lost: int) -> Op:
    value = {"offered": offered, "started": offered - lost, "dropped": lost} | ({"lost": lost} if lost else {})
    return Op(1, 1.0, 1.0, process, "", "", "generator", Outcome.OK, Via.SELF, value)


def test_who_could_not_enter_is_not_laid_at_the_generators_door(story: Callable[[str], list[Op]]) -> None:
    """Such users are dropped as well; the run is in doubt for them, and the generator has kept up."""
    ops = [replace(op, process="t.swarm.0") for op in story(STORY)]
    enter = Op(50, 15.0, 15.0, "t.swarm.0", "", "", "enter", Outcome.FAIL, Via.HTTP, {"error": "full"})
    history = [*ops, *(replace(enter, n=50 + n) for n in range(13)), note(started=87, dropped=13)]
    measured = figures(history, judge(history, Budgets()).model_copy(update={"verdict": Verdict.VALID}), "t")
    assert measured.generator is not None
    assert (measured.generator.dropped, measured.generator.kept_out, measured.generator.trouble) == (13, 13, "")
    assert measured.verdict is Verdict.UNKNOWN
    assert measured.reason.startswith("13 of 100 users could not enter the target (bound 1%)")
    assert "13 users could not enter the target" in rows.notes(measured)
    assert not any("generator" in said for said in rows.notes(measured))
