"""The interval checkers beside an exhaustive search (exact.py), on many small histories (toys.py): its own program.

    python tests/harness/checkers/agreement.py [EXAMPLES] [SEED]

It prints what the histories held, as JSON, and ends with 1 at a disagreement, with the smallest history that shows it.
Hypothesis also draws constants of the modules that a process has loaded, so a seed gives the same histories only in a
process of its own.

Agreement means, for the safety requirements that are about worlds (S1, S4, S5, S6, S7, S8):

- sound: where a checker is red, no world of a right target explains the history;
- complete: where no world does, a checker is red, save for at most one in a hundred of the broken histories. What is
  known to pass: a join that a user needed for his place in the queue may also pass for what ended an earlier or later
  session of his (S7); two sessions that overlap for less than a millisecond for certain (S1); a member of whom the
  history holds no call at all, who may have joined out of our sight (S4);
- rightly named: a red requirement is one whose rule has a part in it, or, since how early and how late a session can
  have been there rests on S7 and S8 (see harness/checkers/lifetimes.py), one of these. Somebody who is matched without
  having asked (S4) makes the rest of his history unexplainable: then S4 is the one that must be right.

S2 and S3 speak of single sights, and are compared with their definition. A history with such a sight is not searched.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import exact
import toys
from hypothesis import HealthCheck, Phase, given, seed, settings

from harness.checkers.judge import judge
from harness.history.op import Op, Outcome

RESTS = {"S1": ("S7", "S8"), "S5": ("S7",), "S6": ("S7",)}


def compare_many(examples: int, first: int) -> Counter[str]:
    """Compares both on as many histories, and counts what they held. Raises AssertionError with the smallest found."""
    seen: Counter[str] = Counter()

    @seed(first)
    @given(script=toys.SCRIPT)
    @settings(
        max_examples=examples, deadline=None, database=None, print_blob=False,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def agree(script: Any) -> None:
        compare(toys.play(script), seen, faulty=bool(script[2]))

    agree()
    return seen


def compare(ops: list[Op], seen: Counter[str], *, faulty: bool) -> None:
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
        for rule in {"S4"} if "S4" in reds else reds:
            blamed = any(oracle.blames(one) for one in (rule, *RESTS.get(rule, ())))
            assert blamed, f"{rule} has no part in it\n{told(judgement)}"
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


def told(judgement: Any) -> str:
    return "\n".join(f"{f.requirement}: {f.sentence}" for result in judgement.results for f in result.findings)


if __name__ == "__main__":
    wanted, number = [int(word) for word in sys.argv[1:]] + [10_000, 0][len(sys.argv) - 1 :]
    sys.stdout.write(json.dumps(compare_many(wanted, number)))
