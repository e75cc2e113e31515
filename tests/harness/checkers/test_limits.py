"""LIM-1 and LIM-2 on histories: floods that are let in, and refusals that do not say when to come again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from harness.checkers.judge import judge
from harness.checkers.limits import CERTAIN
from harness.history.op import Op, Outcome
from harness.results.finding import CheckResult
from harness.target import Budgets

Story = Callable[[str], list[Op]]
BUDGETS = Budgets(join_window=60.0)


def joins(story: Story, count: int, every: float, *, taken: int | None = None, wait: object = 30.0) -> list[Op]:
    """Joins of one user at an even pace, of which those after the first so many are refused."""
    made = story("\n".join(f"{n * every:.3f}-{n * every + 0.001:.3f} A join" for n in range(count)))
    refused = {"status": 429, "retry_after": wait}
    return [
        op if taken is None or n < taken else replace(op, outcome=Outcome.FAIL, value=dict(refused))
        for n, op in enumerate(made)
    ]


def said(ops: list[Op], requirement: str) -> CheckResult:
    return next(result for result in judge(ops, BUDGETS).results if result.requirement == requirement)


@pytest.mark.parametrize(
    ("count", "every", "taken", "checked", "findings"),
    [
        (30, 0.1, None, 1, 1),
        (30, 0.1, 10, 1, 0),
        (30, 0.1, CERTAIN, 1, 0),
        (30, 0.1, CERTAIN + 1, 1, 1),
        (30, 10.0, None, 0, 0),
        (CERTAIN, 0.1, None, 0, 0),
    ],
    ids=["let in", "limited", "two windows", "one more", "slowly", "too few to say"],
)
def test_a_flood_must_be_refused(story, count, every, taken, checked, findings):
    """More than twice what is allowed within one window no way of counting lets through."""
    result = said(joins(story, count, every, taken=taken), "LIM-1")
    assert (result.checked, len(result.findings)) == (checked, findings)


def test_what_is_told_of_a_flood_that_was_let_in(story):
    """Who, how often, from when to when, and two joins to show it."""
    (finding,) = said(joins(story, 30, 0.1), "LIM-1").findings
    assert finding.sentence == (
        "user A joined 21 times from 0.000 s to 2.001 s, and each was taken; 10 are allowed in 60 s"
    )
    assert len(finding.witness) == 2


@pytest.mark.parametrize(
    ("wait", "findings"), [(30.0, 0), (1.0, 0), (60.0, 0), (61.0, 1), (0.0, 1), (1.5, 1), (None, 1)]
)
def test_a_refusal_says_when_to_come_again(story, wait, findings):
    """A whole number of seconds, from 1 to the length of the window."""
    result = said(joins(story, 30, 0.1, taken=10, wait=wait), "LIM-2")
    assert (result.checked, len(result.findings)) == (20, findings)


def test_nothing_is_said_of_what_a_history_does_not_hold(story):
    """Histories of before do not tell what a refusal said."""
    ops = [replace(op, value={"status": 429}) for op in joins(story, 30, 0.1, taken=0)]
    assert said(ops, "LIM-2").checked == 0
