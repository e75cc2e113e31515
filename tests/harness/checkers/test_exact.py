"""The interval checkers beside an exhaustive search (exact.py), on ten thousand small histories (toys.py).

Agreement means, for the safety requirements that are about worlds (S1, S4, S5, S6, S7, S8):

- sound: where a checker is red, no world of a right target explains the history;
- complete: where no world does, a checker is red, save for at most one in a hundred of the broken histories. What is
  known to pass: a join that a user needed for his place in the queue may also pass for what ended an earlier or later
  session of his (S7); two sessions that overlap for less than a millisecond for certain (S1); a member of whom the
  history holds no call at all, who may have joined out of our sight (S4);
- rightly named: a red requirement is one whose rule has a part in it. Somebody who is matched without having asked (S4)
  makes the rest of his history unexplainable, and a session that is shown active when it had ended (S8) may be the one
  that seems to overlap (S1): then these are the ones that must be right.

S2 and S3 speak of single sights, and are compared with their definition. A history with such a sight is not searched.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from harness.checkers.judge import judge
from harness.history.op import Op, Outcome

EXAMPLES = 10_000
TRAITS = ("info", "lost reply", "pushed twice", "matched")
CONSEQUENCES = {"S4": {"S1", "S5", "S6", "S7", "S8"}, "S8": {"S1"}}


def test_the_checkers_agree_with_the_search(toys: ModuleType, exact: ModuleType) -> None:
    """On every history; and the histories hold enough of everything that the agreement means something."""
    seen: Counter[str] = Counter()

    @given(script=toys.SCRIPT)
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, print_blob=True,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def agree(script: Any) -> None:
        compare(toys.play(script), toys, exact, seen, faulty=bool(script[2]))

    agree()
    assert seen["histories"] >= EXAMPLES
    assert seen["too large"] <= EXAMPLES / 100
    assert seen["missed"] <= seen["broken"] / 100
    shares = {name: seen[name] / seen["searched"] for name in ("broken", *TRAITS)}
    assert all(share > 0.05 for share in shares.values()), shares
    assert min(seen[f"red {rule}"] for rule in ("S1", "S2", "S3", "S4", "S5", "S7", "S8")) >= 2, seen
    assert seen["red S6"] >= 1, seen


def compare(ops: list[Op], toys: ModuleType, exact: ModuleType, seen: Counter[str], *, faulty: bool) -> None:
    """Compares both for one history, and counts what it held."""
    judgement = judge(ops, toys.BUDGETS)
    reds = {name.removeprefix("MM-") for name in judgement.violations if name.startswith("MM-S")}
    assert faulty or not reds, told(judgement)
    seen["histories"] += 1
    seen.update(f"red {rule}" for rule in reds)
    assert reds & {"S2", "S3"} == defined(ops), told(judgement)
    if defined(ops):
        return
    try:
        oracle = exact.Oracle(ops, toys.BUDGETS)
        broken = oracle.broken
        seen["searched"] += 1
        seen.update(traits(ops))
        assert broken or not reds, f"no rule is broken for certain\n{told(judgement)}"
        seen["broken"] += broken
        if broken and not reds:
            seen["missed"] += 1
        for rule in reds - {other for root in reds for other in CONSEQUENCES.get(root, ())}:
            assert oracle.blames(rule), f"{rule} has no part in it\n{told(judgement)}"
    except exact.TooLarge:
        seen["too large"] += 1


def defined(ops: list[Op]) -> set[str]:
    """S2 and S3 by their words: two different members, the same in every sight, which is theirs alone."""
    broken, members = set(), {}
    for op in ops:
        shown = op.value.get("session") if op.outcome is Outcome.OK else None
        if isinstance(shown, dict):
            pair = {shown["user1"], shown["user2"]}
            broken |= {"S2"} if len(pair) == 1 else set()
            broken |= {"S3"} if members.setdefault(shown["id"], pair) != pair or op.user not in pair else set()
    return broken


def traits(ops: list[Op]) -> set[str]:
    """What a history holds of the things that make judging hard."""
    pushes = Counter((op.user, op.value["session"]["id"]) for op in ops if op.op == "push")
    held = {
        "info": any(op.outcome is Outcome.INFO for op in ops),
        "lost reply": any(op.t1 is None for op in ops),
        "pushed twice": any(times > 1 for times in pushes.values()),
        "matched": any(op.value.get("session") for op in ops),
    }
    return {name for name, holds in held.items() if holds}


def test_the_search_decides_plain_cases(exact: ModuleType, toys: ModuleType, story: Any) -> None:
    """The oracle itself, on stories that a person decides at once."""
    match = "0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B)\n"
    cases = {
        match: "",
        match + "0-0.1 C join\n0.6 C push Y(A,C)\n3-3.1 A poll X(A,B)\n3-3.1 C poll Y(A,C)": "S1",
        "0-0.1 B join\n0-0.1 A heartbeat\n0.5 B push X(A,B)": "S4",
        "0-0.1 A join\n9-9.1 B join\n9.5 B push X(A,B)": "S5",
        "0-0.1 A join\n0.2-0.3 A leave\n1-1.1 B join\n1.5 B push X(A,B)": "S6",
        match + "0.6-0.7 B end X\n1-1.1 C join\n1.5 C push Y(A,C)": "S7",
        match + "0.6-0.7 B end X\n1-1.1 A poll X(A,B)": "S8",
        "0-0.1 A join?\n9-9.1 B join\n9.5 B push X(A,B)": "",
        match + "2-2.1 A poll -\n3-3.1 C join\n2.5-2.6 A join\n3.5 C push Y(A,C)": "",
    }
    for text, rule in cases.items():
        oracle = exact.Oracle(story(text), toys.BUDGETS)
        assert oracle.broken == bool(rule), text
        assert not rule or oracle.blames(rule), text


def test_a_blind_checker_would_be_noticed(toys: ModuleType, exact: ModuleType, story: Any) -> None:
    """The comparison can fail: an op taken out of the judged history leaves the search alone with its red."""
    ops = story("0-0.1 A join\n0.2-0.3 A leave\n1-1.1 B join\n1.5 B push X(A,B)")
    assert exact.Oracle(ops, toys.BUDGETS).broken
    blind = [replace(op, outcome=Outcome.INFO) if op.op == "leave" else op for op in ops]
    assert judge(blind, toys.BUDGETS).violations == {}
    assert judge(ops, toys.BUDGETS).violations == {"MM-S6": 1}


def told(judgement: Any) -> str:
    return "\n".join(f"{f.requirement}: {f.sentence}" for result in judgement.results for f in result.findings)
