"""Stories that keep MM-S9, and stories that break it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.checkers.judge import judge
from harness.history.op import Op, Outcome, Via
from harness.results.finding import Judgement
from harness.target import Budgets

Judged = Callable[..., Judgement]

MATCH = "0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B)\n"


@pytest.mark.parametrize(
    ("probe", "told", "checked"),
    [
        ("C probe chat_sessions select X 1", 1, 1),
        ("C probe messages insert X 1", 1, 1),
        ("C probe chat_sessions select X 0", 0, 1),
        ("C probe! chat_sessions update X 1", 0, 1),
        ("C probe? chat_sessions update X 0", 0, 1),
        ("A probe chat_sessions select X 1", 0, 0),
        ("C probe chat_sessions select Y 1", 0, 0),
    ],
)
def test_probe(probe: str, told: int, checked: int, judged: Judged) -> None:
    """A stranger who is shown a row, or changes one, is a breach; a member is not, nor an unknown session."""
    judgement = judged(f"{MATCH}1-1.1 {probe}")
    result = next(result for result in judgement.results if result.requirement == "MM-S9")
    assert (len(result.findings), result.checked) == (told, checked)
    assert set(judgement.violations) <= {"MM-S9"}


def test_somebody_without_a_token(story: Callable[[str], list[Op]]) -> None:
    """Who has no user name is a stranger too; `members` says who may, where it is no session."""
    value = {"table": "waiting_queue", "action": "delete", "members": ["A"], "rows": 1}
    probe = Op(9, 1.0, 1.1, "p0", "", "d1", "probe", Outcome.OK, Via.HTTP, value)
    result = next(r for r in judge([*story(MATCH), probe], Budgets()).results if r.requirement == "MM-S9")
    assert "somebody without a token" in result.findings[0].sentence
    assert "could delete 1 row of waiting_queue that belong to A" in result.findings[0].sentence
