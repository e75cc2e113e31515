"""Healing: in which time what a target does is excused by a fault, and MM-L7, which begins when that time is over."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from harness.checkers.telling import Teller
from harness.checkers.timeline import Facts
from harness.history.op import Op
from harness.results.finding import CheckResult, Finding


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise of L1 or L2 that was not kept within a window of time."""

    start: float
    due: float
    sentence: str
    users: tuple[str, ...]
    witness: tuple[Op | None, ...]
    sessions: tuple[str, ...] = ()


class Shadows:
    """The time in which something was broken on purpose, or healed: from a fault's start to its end + `heal`."""

    def __init__(self, facts: Facts) -> None:
        self.faults = facts.kinds.get("fault", [])
        self._starts = [op.t0 for op in self.faults]
        healed = (op.t1 + facts.budgets.heal if op.t1 is not None else math.inf for op in self.faults)
        self._healed = list(accumulate(healed, max))

    def healed_from(self, moment: float) -> float:
        """The first moment from `moment` on that lies in no shadow of a fault that began before it."""
        at = bisect_right(self._starts, moment)
        return max(moment, self._healed[at - 1]) if at else moment

    def pieces(self, start: float, end: float) -> list[tuple[float, float]]:
        """The parts of a time that no shadow touches."""
        pieces = []
        while (start := self.healed_from(start)) < end:
            at = bisect_right(self._starts, start)
            stop = min(end, self._starts[at]) if at < len(self._starts) else end
            pieces.append((start, stop))
            if stop >= end:
                break
            start = stop
        return pieces

    def fault_before(self, moment: float) -> Op | None:
        """The last fault that began before a moment; None without one."""
        at = bisect_right(self._starts, moment)
        return self.faults[at - 1] if at else None

    def clear(self, start: float, due: float) -> bool:
        """Whether no fault touches the time from `start` to `due`."""
        at = bisect_right(self._starts, due)
        return not at or self._healed[at - 1] <= start


def in_peace(facts: Facts, requirement: str, breaches: Iterable[Breach]) -> tuple[Finding, ...]:
    """The findings for those breaches that no fault came before."""
    teller, shadows = Teller(facts, requirement), Shadows(facts)
    for breach in breaches:
        if shadows.fault_before(breach.due) is None:
            _tell(teller, breach)
    return tuple(teller.findings)


Counted = tuple[Sequence[Breach], Sequence[tuple[float, float]]]
"""The breaches of one requirement, and the windows of time in which it was put to the test."""


def heals(facts: Facts, *promises: Callable[[Facts], Counted]) -> CheckResult:
    """MM-L7: after a fault is over, L1 and L2 hold again within `heal`.

    What was broken while a fault lasted, or within `heal` after it, is nobody's finding; later, it is this one.
    """
    teller, shadows = Teller(facts, "MM-L7"), Shadows(facts)
    if not shadows.faults:
        return CheckResult(requirement="MM-L7", checked=0, detail="nothing was broken on purpose")
    checked = 0
    for promise in promises:
        breaches, windows = promise(facts)
        checked += sum(shadows.fault_before(start) is not None and shadows.clear(start, due) for start, due in windows)
        for breach in breaches:
            fault = shadows.fault_before(breach.start)
            if fault is not None and shadows.clear(breach.start, breach.due):
                _tell(teller, breach, fault, facts.budgets.heal)
    detail = "" if checked else "nothing was asked of the target after the fault had healed"
    return CheckResult(requirement="MM-L7", checked=checked, findings=tuple(teller.findings), detail=detail)


def _tell(teller: Teller, breach: Breach, fault: Op | None = None, heal: float = 0.0) -> None:
    sentence = breach.sentence
    if fault is not None:
        kind = fault.value.get("kind", "fault")
        over = f"was over at {teller.at(fault.t1)}" if fault.t1 is not None else "is not over"
        sentence = f"the fault ({kind}) {over} and {heal:g} s are allowed to heal, yet {sentence}"
    teller.find(sentence, users=breach.users, sessions=breach.sessions, at=breach.due, witness=(fault, *breach.witness))
