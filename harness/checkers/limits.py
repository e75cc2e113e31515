"""Limits: LIM-1 and LIM-2, as far as the joins of a history tell: how many are taken, and what a refusal says."""

from __future__ import annotations

import math

from harness.checkers.telling import Teller, short
from harness.checkers.timeline import Facts, UserFacts
from harness.history.op import OK, Op
from harness.results.finding import CheckResult

ALLOWED = 10
"""Joins of one user in a window (document, section 13)."""
CERTAIN = 2 * ALLOWED
"""More of them within one window no way of counting allows: windows that begin at the full minute let so many through,
one half at the end of a window and one at the start of the next."""


def joins_are_limited(facts: Facts) -> CheckResult:
    """LIM-1: of many joins of one user within `join_window` at most ten are taken."""
    teller = Teller(facts, "LIM-1")
    window = facts.budgets.join_window
    checked = 0
    for user in facts.users.values():
        if not _many(user.asked, window):
            continue
        checked += 1
        taken = [op for op in user.asked if op.outcome is OK]
        excess = next((run for run in zip(taken, taken[CERTAIN:], strict=False) if _within(*run, window)), None)
        if excess is not None:
            first, last = excess
            teller.find(
                f"user {short(user.user)} joined {CERTAIN + 1} times from {teller.at(first.t0)} to "
                f"{teller.at(last.t1 or last.t0)}, and each was taken; {ALLOWED} are allowed in {window:g} s",
                users=(user.user,), at=last.t1 or last.t0, witness=(first, last),
            )  # fmt: skip
    detail = "" if checked else f"nobody joined more than {CERTAIN} times within the window"
    return CheckResult(requirement="LIM-1", checked=checked, findings=tuple(teller.findings), detail=detail)


def refusals_say_when(facts: Facts) -> CheckResult:
    """LIM-2: a join that is answered 429 says with Retry-After in how many whole seconds to come again."""
    teller = Teller(facts, "LIM-2")
    most = math.ceil(facts.budgets.join_window)
    checked = 0
    for user in facts.users.values():
        refusals = _refusals(user)
        checked += len(refusals)
        mute = next((op for op in refusals if not _says_when(op.value["retry_after"], most)), None)
        if mute is not None:
            said = mute.value["retry_after"]
            came = "without a Retry-After that can be read" if said is None else f"with Retry-After {said:g}"
            teller.find(
                f"user {short(user.user)} joined at {teller.at(mute.t0)} and was answered 429 {came}; it must say a "
                f"whole number of seconds from 1 to {most}",
                users=(user.user,), at=mute.t1 or mute.t0, witness=(user.asked[0], mute),
            )  # fmt: skip
    detail = "" if checked else "no join was answered 429"
    return CheckResult(requirement="LIM-2", checked=checked, findings=tuple(teller.findings), detail=detail)


def _many(joins: list[Op], window: float) -> bool:
    """Whether so many were asked for within a window that some had to be refused."""
    return any(_within(first, last, window) for first, last in zip(joins, joins[CERTAIN:], strict=False))


def _within(first: Op, last: Op, window: float) -> bool:
    return (last.t1 if last.t1 is not None else math.inf) - first.t0 < window


def _refusals(user: UserFacts) -> list[Op]:
    """His joins that were answered 429, where the history says what they were told."""
    return [op for op in user.asked if op.value.get("status") == 429 and "retry_after" in op.value]


def _says_when(said: object, most: int) -> bool:
    return isinstance(said, int | float) and said == int(said) and 1 <= said <= most
