"""Choice: whom a target matches with whom, where it could choose: MM-S11 (buddies first) and MM-L6 (no overtaking)."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right

from harness.checkers.telling import Teller, short
from harness.checkers.timeline import Effect, Facts, SessionFacts, UserFacts
from harness.checkers.waiting import Wait, certain_waits
from harness.history.op import OK, Op
from harness.results.finding import CheckResult

BUDDIES_FIRST = "buddies_first"


def buddies_come_first(facts: Facts) -> CheckResult:
    """MM-S11: who asked for buddies first is matched with a buddy, if one certainly waited throughout his own wait.

    Friendships are what the ops `befriend {buddy}` say; users of a fixed list may have others, so nothing is said of
    them. Whom a target takes where no buddy waits (the document: the oldest) is its own choice; MM-L6 bounds it.
    """
    teller = Teller(facts, "MM-S11")
    buddies = _friendships(facts)
    if not buddies or not facts.fresh or facts.foreigners:
        detail = "the history states no friendship" if not buddies else "there may be friendships that nobody stated"
        return CheckResult(requirement="MM-S11", checked=0, detail=detail)
    waits: dict[str, list[Wait]] = {}
    for wait in certain_waits(facts):
        waits.setdefault(wait.user.user, []).append(wait)
    checked = 0
    for session in facts.sessions.values():
        for user in facts.both(session) or ():
            join = _asked_for_buddies(user, session)
            if join is None or user.user not in buddies:
                continue
            mine, partner = buddies[user.user], session.partner_of(user.user)
            if partner in mine:
                checked += 1
                continue
            waiting = _waited_throughout(mine, waits, join, session)
            if waiting is not None:
                checked += 1
                wait, friendship = waiting
                teller.find(
                    f"user {short(user.user)} asked for buddies first at {teller.at(join.start)} and was matched with "
                    f"{short(partner)}, who is none, though his buddy {short(wait.user.user)} waited from "
                    f"{teller.at(wait.start)} to {teller.at(wait.proven)} ({teller.seen(session.first)})",
                    users=(user.user, wait.user.user, partner), sessions=(session.session,), at=session.known,
                    witness=(friendship, wait.join, join.op, session.first.op, wait.proof),
                )  # fmt: skip
    detail = "" if checked else "nobody who asked for buddies first had one waiting"
    return CheckResult(requirement="MM-S11", checked=checked, findings=tuple(teller.findings), detail=detail)


def _friendships(facts: Facts) -> dict[str, dict[str, Op]]:
    """By user his accepted buddies, each with the op that says so."""
    buddies: dict[str, dict[str, Op]] = {}
    for op in facts.kinds.get("befriend", []):
        other = str(op.value.get("buddy") or "")
        if op.outcome is OK and op.t1 is not None and other:
            buddies.setdefault(op.user, {}).setdefault(other, op)
            buddies.setdefault(other, {}).setdefault(op.user, op)
    return buddies


def _asked_for_buddies(user: UserFacts, session: SessionFacts) -> Effect | None:
    """The one accepted join that led to the session, where it asked for buddies first; None where several may have."""
    at = bisect_right(user.joins, session.known, key=lambda join: join.start)
    first = bisect_left(user.joins[:at], session.born_after, key=lambda join: join.until)
    feeding = user.joins[max(0, first) : at] or user.joins[max(0, at - 1) : at]
    if len(feeding) != 1 or feeding[0].op.value.get("mode") != BUDDIES_FIRST:
        return None
    return feeding[0] if feeding[0].op.outcome is OK else None


def _waited_throughout(
    buddies: dict[str, Op], waits: dict[str, list[Wait]], join: Effect, session: SessionFacts
) -> tuple[Wait, Op] | None:
    """A buddy's wait from before the join until after the match, with the op that made them buddies before."""
    for buddy, friendship in buddies.items():
        if (friendship.t1 or math.inf) > join.start:
            continue
        for wait in waits.get(buddy, []):
            if wait.start <= join.start and wait.proven >= session.known:
                return wait, friendship
    return None


def bounded_overtaking(facts: Facts) -> CheckResult:
    """MM-L6 (SHOULD): at most `overtaking` users who joined later are matched while an older waiter goes on waiting."""
    teller = Teller(facts, "MM-L6")
    allowed = facts.budgets.overtaking
    served = _served(facts)
    knowns = [known for known, _, _ in served]
    waits = [wait for wait in certain_waits(facts) if wait.proven > wait.start]
    spans = [(bisect_right(knowns, wait.start), bisect_right(knowns, wait.proven)) for wait in waits]
    long = [at for at, (low, high) in enumerate(spans) if high - low > allowed]
    overtaken = _later_among([joined for _, joined, _ in served], [(*spans[at], waits[at].start) for at in long])
    for at, count in zip(long, overtaken, strict=True):
        if count <= allowed:
            continue
        wait = waits[at]
        low, high = spans[at]
        later = [session for _, joined, session in served[low:high] if joined > wait.start][: allowed + 1]
        teller.find(
            f"user {short(wait.user.user)} waited from {teller.at(wait.start)} to {teller.at(wait.proven)} while "
            f"{count} users who joined later were matched; {allowed} should be the most",
            users=(wait.user.user,), at=later[-1].known,
            witness=(wait.join, later[0].first.op, later[-1].first.op, wait.proof),
        )  # fmt: skip
    checked = sum(high > low for low, high in spans)
    detail = "" if checked else "nobody was matched while somebody else certainly waited"
    return CheckResult(requirement="MM-L6", checked=checked, findings=tuple(teller.findings), detail=detail)


def _served(facts: Facts) -> list[tuple[float, float, SessionFacts]]:
    """Each matched user: when his session became known, when the join that led to it began at the earliest."""
    served = []
    for session in facts.sessions.values():
        for user in facts.both(session) or ():
            at = bisect_right(user.joins, session.known, key=lambda join: join.start)
            first = bisect_left(user.sessions, session.known, key=lambda other: other.known)
            earlier = user.sessions[first - 1].known if first else -math.inf
            since = bisect_right(user.joins, earlier, key=lambda join: join.start)
            if since < at:
                served.append((session.known, user.joins[since].start, session))
    served.sort(key=lambda match: match[:2])
    return served


def _later_among(joined: list[float], asked: list[tuple[int, int, float]]) -> list[int]:
    """For each (low, high, moment): how many of joined[low:high] are later than the moment. O((n + m) log n)."""
    ranks = sorted(set(joined))
    tree = [0] * (len(ranks) + 1)
    ends: dict[int, list[tuple[int, int]]] = {}
    for number, (low, high, _) in enumerate(asked):
        ends.setdefault(high, []).append((number, 1))
        ends.setdefault(low, []).append((number, -1))
    counts = [0] * len(asked)
    for at in range(len(joined) + 1):
        for number, sign in ends.get(at, ()):
            counts[number] += sign * (at - _up_to(tree, bisect_right(ranks, asked[number][2])))
        if at < len(joined):
            _add(tree, bisect_left(ranks, joined[at]) + 1)
    return counts


def _add(tree: list[int], place: int) -> None:
    """Counts one more at a place of a Fenwick tree (P. Fenwick, 1994)."""
    while place < len(tree):
        tree[place] += 1
        place += place & -place


def _up_to(tree: list[int], place: int) -> int:
    """How many were counted at places up to this one."""
    total = 0
    while place:
        total += tree[place]
        place -= place & -place
    return total
