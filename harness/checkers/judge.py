"""The judge: runs every checker over a history and says what follows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from harness.checkers.answering import stopped_answering
from harness.checkers.choice import bounded_overtaking, buddies_come_first
from harness.checkers.contention import contended_joins
from harness.checkers.dropping import told_when_dropped
from harness.checkers.endings import ends_by_age, over_is_over, survives
from harness.checkers.healing import heals
from harness.checkers.lifetimes import read_facts
from harness.checkers.limits import joins_are_limited, refusals_say_when
from harness.checkers.liveness import (
    both_are_notified,
    matched_in_time,
    no_lost_wake_up,
    nobody_left_over,
    notified,
    partner_is_told,
)  # fmt: skip
from harness.checkers.privacy import members_alone
from harness.checkers.safety import SAFETY
from harness.checkers.signals import SIGNALS
from harness.checkers.timeline import Facts
from harness.history.op import Op
from harness.history.quiet_memory import without_collection
from harness.results.finding import CheckResult, Judgement, Verdict
from harness.target import Budgets, Capabilities

Checker = Callable[[Facts], CheckResult]

CHECKERS: dict[str, Checker] = {
    **SAFETY,
    "MM-S8": over_is_over,
    "MM-S9": members_alone,
    "MM-S10": survives,
    "MM-S11": buddies_come_first,
    "MM-L1": both_are_notified,
    "MM-L2": no_lost_wake_up,
    "MM-L3": nobody_left_over,
    "MM-L4": told_when_dropped,
    "MM-L5": partner_is_told,
    "MM-L6": bounded_overtaking,
    "MM-L7": lambda facts: heals(facts, notified, matched_in_time),
    "MM-L8": ends_by_age,
    **SIGNALS,
    "LIM-1": joins_are_limited,
    "LIM-2": refusals_say_when,
}
"""Every checker by the requirement that it proves or refutes. Pure: facts of one history in, findings out."""

RACES = frozenset({"MM-S1", "MM-L2"})
"""Requirements that a history without two joins at the same time does not put to the test."""
_FAILED = "the checker failed"
_NO_RACE = "no two users joined at the same time, so no race was run: let more come in less time"
SHOULD = frozenset({"MM-L6"})
"""Requirements whose findings are warnings: they make no history invalid."""


@without_collection
def judge(
    ops: Iterable[Op],
    budgets: Budgets,
    capabilities: Capabilities = Capabilities(),
    *,
    complete: bool = True,
    fresh_users: bool = True,
) -> Judgement:
    """Judges one history, that is: all that was seen of one target between two resets.

    Args:
        ops: the history, in any order.
        budgets: what the target is allowed (seconds).
        capabilities: what it offers; a requirement about what it does not offer is not checked.
        complete: False for a run that was cut short; it is never `valid` nor `invalid`, its findings still stand.
        fresh_users: False where users come from a fixed list and may bring a queue entry or session of an earlier run.

    A checker that crashes makes the verdict `unknown` (with the reason), unless another one found something. So does a
    history without joins, or without two joins of different users that overlap in time, and one at whose end the target
    did not answer any more.
    """
    ops = list(ops)
    try:
        facts = read_facts(ops, budgets, capabilities, fresh_users=fresh_users)
    except Exception as error:  # noqa: BLE001 - the rim: a history that we cannot sort must not look like a verdict
        return _unsorted(error)
    contended = contended_joins(facts)
    results, crashed = [], []
    for requirement, checker in CHECKERS.items():
        try:
            results.append(_guarded(checker(facts), contended))
        except Exception as error:  # noqa: BLE001 - the rim: a checker of ours that fails must not look like a verdict
            results.append(_crashed(requirement, error))
            crashed.append(requirement)
    wrong = {
        session for result in results if result.requirement in SAFETY for f in result.findings for session in f.sessions
    }
    judgement = Judgement(
        verdict=Verdict.UNKNOWN,
        reason="",
        results=tuple(results),
        joins=sum(len(user.joins) for user in facts.users.values()),
        matches=len(facts.sessions),
        correct_matches=sum(session not in wrong for session in facts.sessions),
        unmatched_users=sum(bool(user.joins) and not user.sessions for user in facts.users.values()),
        contended_joins=contended,
        violations=_counted(results, besides=SHOULD),
        warnings=_counted(results, besides=CHECKERS.keys() - SHOULD),
        stopped=stopped_answering(ops),
    )
    return _concluded(judgement, crashed, complete)


def _guarded(result: CheckResult, contended: int) -> CheckResult:
    """The result, with nothing checked where a race was needed and none was run, and with the reason for nothing."""
    if result.findings:
        return result
    if result.requirement in RACES and not contended:
        return result.model_copy(update={"checked": 0, "detail": "no two users joined at the same time"})
    if not result.checked and not result.detail:
        return result.model_copy(update={"detail": "nobody was seen in a session"})
    return result


def _crashed(requirement: str, error: Exception) -> CheckResult:
    detail = f"{_FAILED}: {type(error).__name__}: {error}"
    return CheckResult(requirement=requirement, checked=0, detail=detail)


def _unsorted(error: Exception) -> Judgement:
    """What is said of a history that broke our own reading of it: nothing."""
    results = tuple(_crashed(requirement, error) for requirement in CHECKERS)
    reason = f"the history could not be sorted: {type(error).__name__}: {error}"
    return Judgement(verdict=Verdict.UNKNOWN, reason=reason, results=results)


def judge_groups(
    ops: Iterable[Op],
    budgets: Budgets | Mapping[str, Budgets],
    capabilities: Capabilities = Capabilities(),
    *,
    complete: bool = True,
    fresh_users: bool = True,
) -> dict[str, Judgement]:
    """Judges a history that holds several targets and parts, and merges the parts of each target.

    An op's process is named `<target>.<part>.<worker>`; each (target, part) is a history of its own. Where a name has
    fewer dots, the whole belongs to one part of the target `target`.

    Args:
        budgets: of all, or by `<target>.<part>`, else by `<target>`.

    Returns:
        One judgement by target, in the order in which they first appear.
    """
    parts: dict[str, dict[str, Judgement]] = {}
    for (target, part), group in split_groups(ops).items():
        allowed = budgets if isinstance(budgets, Budgets) else _budgets_of(budgets, target, part)
        judged = judge(group, allowed, capabilities, complete=complete, fresh_users=fresh_users)
        parts.setdefault(target, {})[part] = judged
    return {target: merge_judgements(list(judged.values()), complete=complete) for target, judged in parts.items()}


def split_groups(ops: Iterable[Op]) -> dict[tuple[str, str], list[Op]]:
    """The ops by (target, part), both read from the name of the process."""
    groups: dict[tuple[str, str], list[Op]] = {}
    of_process: dict[str, list[Op]] = {}
    for op in ops:
        group = of_process.get(op.process)
        if group is None:
            pieces = op.process.rsplit(".", 2)
            name = (pieces[0], pieces[1]) if len(pieces) == 3 else ("target", "")
            group = of_process[op.process] = groups.setdefault(name, [])
        group.append(op)
    return groups


def merge_judgements(parts: Sequence[Judgement], *, complete: bool = True) -> Judgement:
    """What several histories of one target say together."""
    if len(parts) == 1:
        return parts[0]
    merged = {requirement: _merged(requirement, parts) for requirement in CHECKERS}
    judgement = Judgement(
        verdict=Verdict.UNKNOWN,
        reason="",
        results=tuple(merged.values()),
        joins=sum(part.joins for part in parts),
        matches=sum(part.matches for part in parts),
        correct_matches=sum(part.correct_matches for part in parts),
        unmatched_users=sum(part.unmatched_users for part in parts),
        contended_joins=sum(part.contended_joins for part in parts),
        violations=_counted(merged.values(), besides=SHOULD),
        warnings=_counted(merged.values(), besides=CHECKERS.keys() - SHOULD),
        stopped="; ".join(dict.fromkeys(part.stopped for part in parts if part.stopped)),
    )
    crashed = [result.requirement for result in merged.values() if _FAILED in result.detail]
    return _concluded(judgement, crashed, complete)


def _counted(results: Iterable[CheckResult], besides: Collection[str]) -> dict[str, int]:
    """The number of findings by requirement, without some and without those that have none."""
    return {
        result.requirement: len(result.findings)
        for result in results
        if result.findings and result.requirement not in besides
    }


def _merged(requirement: str, parts: Sequence[Judgement]) -> CheckResult:
    results = [result for part in parts for result in part.results if result.requirement == requirement]
    return CheckResult(
        requirement=requirement,
        checked=sum(result.checked for result in results),
        findings=tuple(finding for result in results for finding in result.findings),
        detail="; ".join(dict.fromkeys(result.detail for result in results if result.detail)),
    )


def _budgets_of(budgets: Mapping[str, Budgets], target: str, part: str) -> Budgets:
    return budgets.get(f"{target}.{part}") or budgets.get(target) or Budgets()


def _concluded(judgement: Judgement, crashed: list[str], complete: bool) -> Judgement:
    """Sets the verdict and its reason."""
    broken = ", ".join(f"{requirement} × {count}" for requirement, count in judgement.violations.items())
    if not complete:
        found = f"; so far: {broken}" if broken else ""
        verdict, reason = Verdict.UNKNOWN, f"the run was cut short{found}"
    elif broken:
        verdict, reason = Verdict.INVALID, "; ".join(filter(None, [f"broken: {broken}", judgement.stopped]))
    elif crashed:
        verdict, reason = Verdict.UNKNOWN, f"the checkers of {', '.join(crashed)} failed"
    elif judgement.stopped:
        verdict, reason = Verdict.UNKNOWN, judgement.stopped
    elif not judgement.joins:
        verdict, reason = Verdict.UNKNOWN, "nobody joined, so nothing was shown"
    elif not judgement.contended_joins:
        verdict, reason = Verdict.UNKNOWN, _NO_RACE
    else:
        idle = [result.requirement for result in judgement.results if not result.checked]
        unseen = f"; not exercised: {', '.join(idle)}" if idle else ""
        should = ", ".join(f"{requirement} × {count}" for requirement, count in judgement.warnings.items())
        unseen = f"; should not be: {should}{unseen}" if should else unseen
        verdict, reason = Verdict.VALID, f"{judgement.joins} joins, {judgement.matches} matches, nothing broken{unseen}"
    return judgement.model_copy(update={"verdict": verdict, "reason": reason})
