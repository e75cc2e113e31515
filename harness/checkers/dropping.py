"""Dropping: MM-L4, whether a waiter whom the target drops learns of it, and whether one who shows life is dropped.

Three things show that a user no longer stands in the queue although he did all that keeps him there: the target says
that he is `idle`, his queue row is gone (`entry`), or he and another one wait side by side in vain after the TTL has
passed since his join. He was told when an op `status` says `expired`. A target may let entries live for a fixed time
whatever their users do, if it tells them; it may not drop them earlier, nor in silence.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from harness.checkers.liveness import SideBySide, waited_in_vain
from harness.checkers.telling import Teller, short
from harness.checkers.timeline import Facts
from harness.checkers.waiting import Wait, certain_waits, hidden_of
from harness.history.op import INFO, OK, Op
from harness.results.finding import CheckResult


def told_when_dropped(facts: Facts) -> CheckResult:
    """MM-L4: a waiter that the target drops learns of it; one who shows life is not dropped before his time."""
    teller = Teller(facts, "MM-L4")
    hidden = hidden_of(facts)
    waits = certain_waits(facts)
    in_vain = _in_vain(facts, waits) if "status" in facts.kinds else {}
    entries: dict[str, list[Op]] = {}
    for op in facts.kinds.get("entry", []):
        entries.setdefault(str(op.value.get("owner") or op.user), []).append(op)
    checked = 0
    for wait in waits:
        if hidden.foreigners:
            break
        known_until = min(wait.alive, hidden.after(wait.join))
        found = _dropped_early(facts, wait, known_until) or _dropped_in_silence(wait, known_until)
        found = found or _row_gone(facts, wait, known_until, entries.get(wait.user.user, []))
        found = found or _passed_over(facts, wait, in_vain.get(id(wait), []))
        checked += found is not None or _crossed(facts, wait)
        if found is not None:
            sentence, witness = found(teller)
            teller.find(sentence, users=(wait.user.user,), at=wait.limit, witness=(wait.join, *witness))
    detail = "" if checked else "nobody waited for longer than the TTL and was asked after"
    return CheckResult(requirement="MM-L4", checked=checked, findings=tuple(teller.findings), detail=detail)


class _Found:
    """What shows that a waiter was dropped; called with a teller it gives the sentence and the ops."""

    def __init__(self, wait: Wait, what: str, moment: float, ops: tuple[Op | None, ...]) -> None:
        self._wait, self._what, self._moment, self._ops = wait, what, moment, ops

    def __call__(self, teller: Teller) -> tuple[str, tuple[Op | None, ...]]:
        who = short(self._wait.user.user)
        since = f"user {who} joined at {teller.at(self._wait.start)} and kept showing life, but "
        return since + self._what.format(at=teller.at(self._moment)), self._ops


def _dropped_early(facts: Facts, wait: Wait, known_until: float) -> _Found | None:
    """He was told that he is dropped, before an entry's time can have been over."""
    earliest = wait.join.t0 + facts.budgets.queue_ttl - facts.budgets.tolerance
    for op in _statuses(wait, known_until):
        if op.value.get("state") == "expired" and (op.t1 or op.t0) < min(earliest, known_until):
            what = f"at {{at}} he was told that he is dropped; entries live {facts.budgets.queue_ttl:g} s"
            return _Found(wait, what, op.t0, (op,))
    return None


def _dropped_in_silence(wait: Wait, known_until: float) -> _Found | None:
    """He asked, and the target did not know him."""
    for op in _statuses(wait, known_until):
        if op.value.get("state") == "idle" and (op.t1 or op.t0) < known_until and not _told(wait, op.t0):
            return _Found(wait, "at {at} the target knew nothing of it (idle), and never told him so", op.t0, (op,))
    return None


def _row_gone(facts: Facts, wait: Wait, known_until: float, entries: list[Op]) -> _Found | None:
    """His row was gone; he asked where he stands, and nobody told him within `notify`.

    `entry {present}` may name an `owner`, where somebody else looked (the database).
    """
    for op in entries:
        gone = op.outcome is OK and op.value.get("present") is False and op.t0 > wait.start
        if gone and (op.t1 or op.t0) < min(known_until, wait.proven):
            asked = _asked(wait, op.t0)
            if asked is not None and not _told(wait, max((op.t1 or op.t0) + facts.budgets.notify, asked.t0)):
                return _Found(wait, "at {at} his row was gone, and he was never told so", op.t0, (op, asked))
    return None


def _passed_over(facts: Facts, wait: Wait, pairs: list[SideBySide]) -> _Found | None:
    """He waited in vain beside somebody when the TTL since his join had passed, and asked, and was not told."""
    crossed = wait.start + facts.budgets.queue_ttl + facts.budgets.tolerance
    for pair in pairs:
        asked = _asked(wait, pair.start + facts.budgets.match)
        if pair.start >= crossed and asked is not None and not _told(wait, asked.t0):
            other = pair.later if pair.earlier is wait else pair.earlier
            what = (
                f"the TTL ({facts.budgets.queue_ttl:g} s) once over, he and {short(other.user.user)} waited side by "
                "side from {at} and were not matched, and he was not told that he is dropped"
            )
            return _Found(wait, what, pair.start, (other.join, wait.proof, asked))
    return None


def _in_vain(facts: Facts, waits: list[Wait]) -> dict[int, list[SideBySide]]:
    pairs: dict[int, list[SideBySide]] = {}
    for pair in waited_in_vain(facts, waits):
        for wait in (pair.earlier, pair.later):
            pairs.setdefault(id(wait), []).append(pair)
    return pairs


def _statuses(wait: Wait, until: float) -> Iterator[Op]:
    """What he was told of his standing from the end of his join until a moment, in order."""
    told = wait.user.statuses
    for at in range(bisect_left(told, wait.start, key=lambda op: op.t0), len(told)):
        if told[at].t0 > until:
            return
        if told[at].outcome is OK:
            yield told[at]


def _asked(wait: Wait, since: float) -> Op | None:
    """The first time that he asked after a moment, answered or refused (then the target tells nobody)."""
    asked = wait.user.statuses
    first = bisect_left(asked, since, key=lambda op: op.t0)
    return next((asked[at] for at in range(first, len(asked)) if asked[at].outcome is not INFO), None)


def _told(wait: Wait, until: float) -> bool:
    """Whether he was told by then that he is dropped."""
    return any(op.value.get("state") == "expired" for op in _statuses(wait, until))


def _crossed(facts: Facts, wait: Wait) -> bool:
    """Whether it shows what became of him after the TTL had passed since his join: told, still there, or matched."""
    crossed = wait.start + facts.budgets.queue_ttl + facts.budgets.tolerance
    if wait.alive <= crossed:
        return False
    if any((op.t1 or op.t0) >= crossed for op in _statuses(wait, wait.alive)):
        return True
    at = bisect_right(wait.user.sessions, wait.start, key=lambda session: session.known)
    return at < len(wait.user.sessions) and wait.user.sessions[at].born_after >= crossed
