"""Waiting: when a user certainly stood in the queue, and when he may have.

A user has certainly waited from the end of an accepted join on, as long as nothing can have taken him out of the queue:
a call of his own, a loss of his connection, the end of his TTL, or a match. A match may go unseen for a while, so it
counts from the earliest moment at which it can have been made. It may even go unseen for ever, when the partner
ended it at once; `hidden_after` says from when on that cannot be excluded.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from itertools import accumulate

from msgspec import Struct

from harness.checkers.timeline import Effect, Facts, SessionFacts, UserFacts
from harness.history.op import OK, Op

Moments = list[tuple[float, float]]


class Wait(Struct, gc=False):
    """A time in which a user certainly waited, unless a hidden match took him away; then `proven` is the end."""

    user: UserFacts
    join: Op
    start: float
    limit: float
    """Nothing that is known can have ended his wait before."""
    alive: float
    """As `limit`, if the target cannot have dropped him: what he was told of that is left out."""
    proven: float
    """He certainly waited until then."""
    proof: Op | None
    """The op that shows it: his last empty poll, or the first sight of his match."""


class Hidden:
    """When matches that nobody saw may have taken waiting users away.

    Such a match needs a partner who joined without any seen session to show for it, and who then did something that
    ends a session (joined again, left, lost his connection) before anyone looked; or somebody ended a session that
    nobody is known to have seen.
    """

    def __init__(self, facts: Facts) -> None:
        self.foreigners = facts.foreigners
        suspects = [user for user in facts.users.values() if user.joins and not user.accounted and user.enders.items]
        self.suspects = frozenset(user.user for user in suspects)
        enders = [(effect.start, _reach(user, effect)) for user in suspects for effect in user.enders.items]
        enders += [(effect.start, effect.until) for effect in facts.stray_ends]
        enders.sort()
        self._starts = [start for start, _ in enders]
        self._reaches = list(accumulate((reach for _, reach in enders), max))

    def after(self, join: Op) -> float:
        """From this moment on a hidden match may have ended the wait that began with this join."""
        if self.foreigners:
            return -math.inf
        at = bisect_left(self._starts, join.t0)
        if at and self._reaches[at - 1] >= join.t0:
            return join.t0
        return self._starts[at] if at < len(self._starts) else math.inf


def _reach(user: UserFacts, effect: Effect) -> float:
    """Until when a session of this user, born from a forgotten join, can be ended by this effect."""
    last = user.life[-1][1] if user.life else math.inf
    return min(effect.until, last) if effect.op.op in {"join", "leave"} else last


def hidden_of(facts: Facts) -> Hidden:
    """The hidden matches of a history, worked out once for all checkers that ask."""
    if facts.hidden is None:
        facts.hidden = Hidden(facts)
    return facts.hidden


def certain_waits(facts: Facts) -> list[Wait]:
    """Every wait of every user, in no special order; worked out once for all checkers that ask."""
    if facts.waits is None:
        hidden = hidden_of(facts)
        facts.waits = [wait for user in facts.users.values() for wait in _waits_of(user, facts, hidden)]
    return facts.waits


def _waits_of(user: UserFacts, facts: Facts, hidden: Hidden) -> list[Wait]:
    starts = [session.known for session in user.sessions]
    births = [session.born_after for session in user.sessions]
    first_birth = list(accumulate(reversed(births), min))[::-1]
    waits = []
    for join in user.joins:
        if join.op.outcome is not OK or user.enders.pending(join.start):
            continue
        at = bisect_left(starts, join.start)
        following = user.enders.first_from(join.start, besides=join.op)
        limit = following.start if following else math.inf
        if at < len(starts):
            limit = min(limit, first_birth[at])
        alive = alive_until(user, join.start, limit, facts)
        limit = _dropped_after(user, join, alive, facts)
        wait = Wait(user, join.op, join.until, limit, alive, limit, None)
        if user.accounted and at < len(starts):
            wait.proof = user.sessions[at].first.op
        else:
            wait.proof = _last_empty(user, join.until, limit, hidden.after(join.op))
            wait.proven = wait.proof.t0 if wait.proof is not None else -math.inf
        waits.append(wait)
    return waits


def alive_until(user: UserFacts, start: float, limit: float, facts: Facts) -> float:
    """How long, up to a limit, he certainly counted as alive by the signs that he has shown from `start` on."""
    lasts = facts.budgets.queue_ttl - facts.budgets.tolerance
    alive = start + lasts
    for at in range(bisect_left(user.signs, start, key=lambda op: op.t0), len(user.signs)):
        op = user.signs[at]
        if alive >= limit or op.t0 > alive or (op.t1 is not None and op.t1 > alive):
            break
        alive = max(alive, op.t0 + lasts)
    return min(alive, limit)


def _dropped_after(user: UserFacts, join: Effect, limit: float, facts: Facts) -> float:
    """The earliest moment at which he can have been dropped, where he was told so before a limit; else the limit.

    An entry that lives for a fixed time, whatever its user does, lives for the TTL; it was there when he was told that
    he waits.
    """
    waiting = join.start
    for at in range(bisect_left(user.statuses, join.start, key=lambda op: op.t0), len(user.statuses)):
        op = user.statuses[at]
        if op.t0 >= limit:
            break
        if tells_drop(op):
            full = join.start + facts.budgets.queue_ttl - facts.budgets.tolerance
            return min(limit, max(waiting, full if (op.t1 or op.t0) >= full else waiting))
        if op.outcome is OK and op.value.get("state") == "waiting":
            waiting = op.t0
    return limit


def tells_drop(op: Op) -> bool:
    """Whether a status tells a user that he does not stand in the queue."""
    return op.outcome is OK and op.value.get("state") in {"expired", "idle"}


def _last_empty(user: UserFacts, start: float, limit: float, hidden: float) -> Op | None:
    """The last poll of a wait that proves that no match, not even a hidden one, had ended it."""
    at = bisect_right(user.empties, limit, key=lambda op: op.t0)
    for op in reversed(user.empties[:at]):
        if op.t0 < start:
            return None
        if op.t1 is not None and op.t1 < hidden:
            return op
    return None


def possible_birth(
    session: SessionFacts, one: UserFacts, other: UserFacts, *, leaves: bool = True, ttl: bool = True
) -> bool:
    """Whether there was a moment at which both members may have waited and the session can have been born.

    Args:
        leaves: whether an accepted leave ends a wait.
        ttl: whether a wait ends with the last sign of life + TTL + tolerance.
    """
    mine = _possible_moments(one, session, leaves=leaves, ttl=ttl)
    theirs = _possible_moments(other, session, leaves=leaves, ttl=ttl)
    return _meet(mine, theirs)


def _possible_moments(user: UserFacts, session: SessionFacts, *, leaves: bool, ttl: bool) -> Moments:
    """When he may have waited, between the earliest and the latest possible birth of the session."""
    at = bisect_right(user.joins, session.known, key=lambda join: join.start)
    moments: Moments = []
    for join in reversed(user.joins[:at]):
        start, end = max(join.start, session.born_after), session.known
        if leaves:
            end = min(end, _left(user, join))
        moments += _cut(user.life, start, end) if ttl else [(start, end)] if start <= end else []
        if moments and moments[-1][0] <= session.born_after:
            break
    return sorted(moments)


def _left(user: UserFacts, join: Effect) -> float:
    """The end of the first accepted leave that certainly came after this join."""
    at = bisect_right(user.leaves, join.until, key=lambda leave: leave.start)
    return user.left_by[at] if at < len(user.leaves) else math.inf


def _cut(intervals: Moments, start: float, end: float) -> Moments:
    """The parts of sorted, disjoint intervals that lie between two moments, both included."""
    at = max(0, bisect_right(intervals, start, key=lambda interval: interval[0]) - 1)
    parts: Moments = []
    for low, high in intervals[at:]:
        if low > end:
            break
        if high >= start:
            parts.append((max(low, start), min(high, end)))
    return [part for part in parts if part[0] <= part[1]]


def _meet(one: Moments, other: Moments) -> bool:
    """Whether two sorted lists of closed intervals share a moment."""
    left, right = 0, 0
    while left < len(one) and right < len(other):
        if one[left][0] <= other[right][1] and other[right][0] <= one[left][1]:
            return True
        if one[left][1] < other[right][1]:
            left += 1
        else:
            right += 1
    return False
