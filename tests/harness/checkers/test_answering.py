"""A target that stopped answering proves nothing by its silence; one that stumbled, or was broken on purpose, may."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from harness.checkers.judge import judge, judge_groups
from harness.history.op import Op, Outcome
from harness.target import Budgets

Story = Callable[[str], list[Op]]

MATCH = "0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B)\n0.5 B push X(A,B)\n"
DOUBLE = MATCH + "0-0.1 C join\n0.6 C push Y(C,A)\n"
GONE = "8-8.1 A end X\n9-9.1 B poll\n9-9.1 B join\n10-10.1 A leave"
LATER = {
    "alive again": "11-11.1 B poll -",
    "refused by it": "11-11.1 B join!",
    "its push": "11 B push X(A,B)",
    "a heartbeat that it answered": "11-11.1 B heartbeat",
    "a socket that stands again": "11 B back",
}
NO_LIFE = {
    "his own goodbye": "11 B disconnect close\n11 A unsubscribe matches",
    "his lost socket": "11 B lost",
    "a timeout": "11-21 B poll?",
    "a call that never came back": "11- B leave?",
    "a peer's data": "11-12 A connect X offerer",
}


def dead(ops: list[Op], since: float, until: float = 99.0) -> list[Op]:
    """The same with every call between two moments cut off."""
    cut = {"outcome": Outcome.FAIL, "value": {"error": "ConnectionRefusedError: ", "unreached": True}}
    calls = {"join", "leave", "poll", "end"}
    return [replace(op, **cut) if op.op in calls and since <= op.t0 < until else op for op in ops]


def test_a_target_that_is_gone_makes_a_valid_history_unknown(story: Story) -> None:
    """The reason says when it was last heard, and how many calls that came after it; what was broken stays broken."""
    judged = judge(dead(story(MATCH + GONE), 8), Budgets())
    assert judge(story(MATCH + GONE), Budgets()).verdict == "valid"
    assert judged.verdict == "unknown"
    stopped = "the target stopped answering 0.5 s into the run: "
    assert judged.reason == f"{stopped}no connection for any of 4 calls after that"
    late = judge([*dead(story(MATCH + GONE), 8), *story("11-21 B poll?")], Budgets())
    assert late.reason == f"{stopped}no answer to any of 5 calls, and no connection for 4 of them after that"
    double = judge(dead(story(DOUBLE + GONE), 8), Budgets())
    assert double.verdict == "invalid"
    assert double.reason.startswith("broken: MM-S1 × 1; the target stopped answering 0.6 s into the run")


@pytest.mark.parametrize("name", LATER)
def test_who_answers_once_more_is_not_gone(name: str, story: Story) -> None:
    """Whatever the target says after calls that failed, it was there."""
    ops = [*dead(story(MATCH + GONE), 8), *story(LATER[name])]
    assert judge(ops, Budgets()).stopped == ""


@pytest.mark.parametrize("name", NO_LIFE)
def test_what_is_no_sign_of_the_target(name: str, story: Story) -> None:
    """What a user does by himself, or waited for in vain, shows nobody at the other end."""
    ops = [*dead(story(MATCH + GONE), 8), *story(NO_LIFE[name])]
    assert judge(ops, Budgets()).stopped.startswith("the target stopped answering 0.5 s into the run")


def test_few_or_slow_calls_say_nothing(story: Story) -> None:
    """A connection or two may break, and a slow target lets calls time out to the end."""
    assert judge(dead(story(MATCH + GONE), 9, 10), Budgets()).stopped == ""
    slow = [replace(op, outcome=Outcome.INFO, value={"error": "TimeoutError: "}) for op in story(GONE * 3)]
    assert judge([*story(MATCH), *slow], Budgets()).verdict == "valid"
    busy = [replace(op, outcome=Outcome.INFO, value={"error": "", "status": 503}) for op in story(GONE * 3)]
    assert judge([*story(MATCH), *busy], Budgets()).verdict == "valid"


def test_a_fault_that_was_made_on_purpose_says_nothing(story: Story) -> None:
    """While it lasts the target need not be there; after it is over it must."""
    gone = dead(story(MATCH + GONE), 8)
    assert judge([*gone, *story("7-99 - fault kill")], Budgets()).stopped == ""
    assert judge([*gone, *story("7-7.5 - fault kill")], Budgets()).stopped != ""


def test_it_is_told_of_every_part(story: Story) -> None:
    """A target that was gone in one part is in doubt, however another part ended; no ops at all are no silence."""
    parts = [
        *(replace(op, process="t.swarm.0") for op in dead(story(MATCH + GONE), 8)),
        *(replace(op, process="t.peers.0") for op in story(MATCH)),
    ]
    assert judge_groups(parts, Budgets())["t"].reason.startswith("the target stopped answering 0.5 s into the run")
    assert judge([], Budgets()).stopped == ""
    never = judge(dead(story(GONE), 0), Budgets())
    assert never.reason == "the target answered nothing: no connection for any of 4 calls"
