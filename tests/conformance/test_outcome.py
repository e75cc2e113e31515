"""Outcomes: what a line says, what a breach teaches, and what follows for the target."""

from __future__ import annotations

import pytest

from conformance.outcome import Outcome, broken, exit_status, overall
from conformance.requirements import CATALOGUE
from harness.history.op import Op, Via
from harness.history.op import Outcome as Came
from harness.results.run import Status


def outcome(status: Status, requirement: str = "MM-S1", detail: str = "") -> Outcome:
    """An outcome of one requirement."""
    return Outcome(CATALOGUE[requirement], status, 1.25, detail)


def op(n: int) -> Op:
    """An op that can stand in a witness."""
    return Op(n, float(n), n + 0.5, "t.p.0", "ann", "d1", "join", Came.OK, Via.HTTP)


@pytest.mark.parametrize(
    ("statuses", "verdict", "status"),
    [
        (["pass", "pass"], "conformant", 0),
        (["pass", "fail", "unknown", "error"], "not-conformant", 1),
        (["pass", "unknown"], "unknown", 2),
        (["pass", "unknown", "error"], "unknown", 3),
        (["pass", "not-verified"], "partial", 0),
        (["pass", "not-applicable"], "partial", 0),
        (["not-verified", "not-applicable"], "unknown", 2),
        ([], "unknown", 2),
    ],
)
def test_what_follows_from_outcomes(statuses: list[Status], verdict: str, status: int) -> None:
    """A breach decides, then doubt; a MUST that nobody checked makes it partial; nothing checked is unknown."""
    outcomes = [outcome(each) for each in statuses]
    assert overall(outcomes) == verdict
    assert exit_status(outcomes) == status


def test_a_line_is_plain() -> None:
    """One line: id, status, seconds, and what was found, or else what was checked."""
    assert outcome("pass").line == "MM-S1 pass 1.2 s  one session at a time"
    assert outcome("unknown", detail="no race was run").line == "MM-S1 unknown 1.2 s  no race was run"


def test_a_breach_teaches() -> None:
    """What was done and what came, what was required and in whose words, why it matters, and the ops that show it."""
    breach = broken("MM-S3", sent="two met", came="a third was told", users=("ann",), witness=[op(2), op(1)])
    rule = CATALOGUE["MM-S3"]
    lesson = Outcome(rule, "fail", 1.0, breach.finding.sentence, breach.finding).lesson
    assert lesson.splitlines()[0] == "two met: a third was told"
    for text in (rule.statement, rule.clause, rule.quote, rule.why, '"op": "join"'):
        assert text in lesson


def test_a_witness_is_short_and_in_order() -> None:
    """Six ops at most, the latest, oldest first."""
    finding = broken("MM-S3", sent="s", came="c", witness=[op(n) for n in (9, 1, 8, 2, 7, 3, 6, 4, 5)]).finding
    assert [shown["n"] for shown in finding.witness] == [4, 5, 6, 7, 8, 9]
    assert finding.at == 9.5
