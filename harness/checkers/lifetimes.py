"""Lifetimes: how early and how late each session can have begun and ended, from what was seen and who acted.

Two rules of a right target are used. A join leads to at most one session (MM-S7), so a session that becomes known after
a join before which all earlier joins were used up, was born after that join. And an ended session stays ended (MM-S8),
so one that a live sight shows active has been active ever since it was born.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from harness.checkers.timeline import Effect, Facts, SessionFacts, UserFacts, sort_history
from harness.history.op import Op
from harness.target import Budgets, Capabilities


def read_facts(
    ops: Iterable[Op], budgets: Budgets, capabilities: Capabilities = Capabilities(), *, fresh_users: bool = True
) -> Facts:
    """Reads a history, in any order of its ops, into all that the checkers look at. O(n log n)."""
    facts = sort_history(ops, budgets, capabilities, fresh_users=fresh_users)
    bound_lifetimes(facts)
    return facts


def bound_lifetimes(facts: Facts) -> None:
    """Sets `born_after`, `active_until`, `ender` and `sure_until` of every session."""
    floors = {name: Floors(user) for name, user in facts.users.items()}
    for session in facts.sessions.values():
        if session.muddled:
            session.active_until = session.sure_until = -math.inf
            continue
        members = [facts.users[member] for member in session.members if member in facts.users]
        feeding = [floors[member.user].of(session) for member in members]
        session.born_after = max((join.start for join in feeding if join is not None), default=-math.inf)
        _bound_end(facts, session, members, feeding)
        session.born_after = max(
            [session.born_after, *(last_empty(member, session.known, session.active_until) for member in members)]
        )
        _bound_end(facts, session, members, feeding)
        session.sure_until = _sure_until(session, members)


class Floors:
    """For each session of a user the earliest join that can have led to it."""

    def __init__(self, user: UserFacts) -> None:
        self._clean: list[Effect] = []
        used = 0
        for at, join in enumerate(user.joins):
            while used < len(user.sessions) and user.sessions[used].known < join.start:
                used += 1
            if used == at:
                self._clean.append(join)

    def of(self, session: SessionFacts) -> Effect | None:
        """The latest join before which every earlier one had been used up; None where he never joined before.

        Where he had got more sessions than he had made joins, one of them may have lingered: that join proves nothing.
        """
        at = bisect_right(self._clean, session.known, key=lambda join: join.start)
        return self._clean[at - 1] if at else None


def _bound_end(facts: Facts, session: SessionFacts, members: list[UserFacts], feeding: list[Effect | None]) -> None:
    """The earliest moment at which anything may have ended the session after its birth.

    What was surely done longer than `match` before a live sight showed the session active did not end it.
    """
    moment = max(session.born_after, session.seen_active - facts.budgets.match)
    candidates = list(session.ends)
    for member, join in zip(members, feeding, strict=True):
        besides = _harmless(member, join)
        ender = member.enders.first_after(moment, besides)
        if ender is not None:
            candidates.append(ender)
    session.ender = min(candidates, key=lambda effect: effect.start, default=None)
    earliest = session.ender.start if session.ender is not None else math.inf
    oldest = session.born_after + facts.budgets.session_max_age - facts.budgets.tolerance
    if math.isfinite(oldest) and oldest < facts.end:
        earliest = min(earliest, oldest)
    session.active_until = max(session.seen_active, earliest)
    if session.over_known < session.active_until:
        session.active_until = max(session.seen_active, min(session.known, session.over_known))


def _harmless(member: UserFacts, join: Effect | None) -> Op | None:
    """The join that led to the session, unless a later one overlaps it: it cannot have ended what came from it."""
    if join is None:
        return None
    following = bisect_right(member.joins, join.start, key=lambda other: other.start)
    overlapped = following < len(member.joins) and member.joins[following].start < join.until
    return None if overlapped else join.op


def last_empty(member: UserFacts, before: float, active_until: float) -> float:
    """The start of the member's last empty poll that proves that a session had not been born then; else -inf.

    The session is known at `before` and had not ended before `active_until`: an empty poll that ended earlier shows
    that it was not there yet.
    """
    at = bisect_left(member.empties, before, key=lambda op: op.t0)
    for op in reversed(member.empties[max(0, at - 8) : at]):
        if op.t1 is not None and op.t1 < active_until:
            return op.t0
    return -math.inf


def _sure_until(session: SessionFacts, members: list[UserFacts]) -> float:
    """Cuts `active_until` where a member polled in vain: then the target has ended the session by itself, unseen."""
    for member in members:
        at = bisect_left(member.empties, session.known, key=lambda op: op.t0)
        if at < len(member.empties) and member.empties[at].t0 < session.active_until:
            return max(session.seen_active, min(session.known, session.active_until))
    return session.active_until
