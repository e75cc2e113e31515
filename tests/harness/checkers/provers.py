"""Plain proofs that a history breaks a requirement: each holds without any of the judge's cleverness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise, permutations

from harness.checkers.timeline import Sight, sighting_of
from harness.history.op import Op, Outcome
from harness.target import Budgets

ENDERS = {"join", "leave", "disconnect", "lost", "end", "told"}


def sights(ops: list[Op]) -> list[Sight]:
    return [sight for op in ops if (sight := sighting_of(op)) is not None]


def known(ops: list[Op]) -> dict[str, Sight]:
    """By session its first sight."""
    first: dict[str, Sight] = {}
    for sight in sorted(sights(ops), key=lambda sight: sight.known):
        first.setdefault(sight.session, sight)
    return first


def of(ops: list[Op], user: str, *kinds: str) -> list[Op]:
    """The user's ops of some kinds that took effect or may have."""
    return [op for op in ops if op.user == user and op.op in kinds and op.outcome is not Outcome.FAIL]


def two_sessions_at_once(ops: list[Op], _: Budgets) -> bool:
    """A session is shown active before and after another one of the same user is shown active."""
    live = [sight for sight in sights(ops) if sight.live and sight.active]
    return any(
        before.session == after.session != other.session
        and set(before.members) & set(other.members)
        and before.known < other.since
        and other.known < after.since
        for before, other, after in _around(live)
    )


def _around(live: list[Sight]) -> Iterator[tuple[Sight, Sight, Sight]]:
    for session in {sight.session for sight in live}:
        mine = [sight for sight in live if sight.session == session]
        before, after = min(mine, key=lambda s: s.known), max(mine, key=lambda s: s.since)
        yield from ((before, other, after) for other in live)


def himself(ops: list[Op], _: Budgets) -> bool:
    return any(len(set(sight.members)) == 1 for sight in sights(ops))


def other_names(ops: list[Op], _: Budgets) -> bool:
    first = known(ops)
    return any(
        set(sight.members) != set(first[sight.session].members) or sight.op.user not in sight.members
        for sight in sights(ops)
    )


def never_asked(ops: list[Op], _: Budgets) -> bool:
    users = {op.user for op in ops}
    return any(
        member in users and not any(join.t0 <= sight.known for join in of(ops, member, "join"))
        for sight in known(ops).values()
        for member in sight.members
    )


def stale(ops: list[Op], budgets: Budgets) -> bool:
    """The partner's first op of all comes long after the last op of a user before the match."""
    for sight in known(ops).values():
        for ghost, other in permutations(sight.members):
            mine = [op for op in ops if op.user == ghost and op.t0 <= sight.known]
            joins = of(ops, other, "join")
            if mine and joins and of(mine, ghost, "join"):
                last = max(op.t1 if op.t1 is not None else 1e9 for op in mine)
                if last + budgets.queue_ttl + budgets.tolerance < joins[0].t0:
                    return True
    return False


def left(ops: list[Op], _: Budgets) -> bool:
    """One joins, is answered, leaves, is answered; then the other joins for the first time; then they are matched."""
    for sight in known(ops).values():
        for gone, other in permutations(sight.members):
            joins = [op for op in of(ops, gone, "join") if op.t0 <= sight.known]
            leaves = of(ops, gone, "leave")
            first = of(ops, other, "join")
            calls = [*joins[-1:], *leaves[:1], *first[:1]]
            if joins and leaves and first and all((a.t1 or 1e9) < b.t0 for a, b in pairwise(calls)):
                return True
    return False


def too_many(ops: list[Op], _: Budgets) -> bool:
    """One join of a user, a session, its accepted end, and another session that was born later, for its other member
    joined later."""
    for user in {op.user for op in ops}:
        named = sorted((s for s in known(ops).values() if user in s.members), key=lambda sight: sight.known)
        if len(of(ops, user, "join")) == 1 and len(named) >= 2:
            other = next(iter(set(named[1].members) - {user}), user)
            partner = of(ops, other, "join")
            told = [op for op in ops if op.op == "told" and op.value["id"] == named[0].session]
            if partner and told and told[0].t0 < partner[0].t0:
                return True
    return False


def untold(ops: list[Op], budgets: Budgets) -> bool:
    """A member polls in vain long after the session was seen, neither did anything that ends it, and both are alive."""
    for sight in known(ops).values():
        if any(len(of(ops, member, "join")) != 1 or of(ops, member, *(ENDERS - {"join"})) for member in sight.members):
            continue
        due = sight.known + budgets.notify
        polls = [op for op in ops if op.op == "poll" and op.user in sight.members and op.outcome is Outcome.OK]
        vain = [op for op in polls if op.t0 > due and op.value["session"] is None]
        if any(all(lively(ops, member, op.t0) for member in sight.members) for op in vain):
            return True
    return False


def lively(ops: list[Op], user: str, until: float) -> bool:
    """Whether he has shown life every few seconds from his join on."""
    signs = sorted(op.t0 for op in of(ops, user, "join", "poll") if op.outcome is Outcome.OK and op.t0 < until)
    return bool(signs) and all(b - a < 5 for a, b in pairwise([*signs, until]))


def waiters(ops: list[Op], since: float, margin: float) -> list[str]:
    """Users of one answered join each, who polled in vain, some time after it and after a given moment."""
    found = []
    for user in {op.user for op in ops if op.user}:
        joins, polls = of(ops, user, "join"), of(ops, user, "poll")
        if len(joins) == 1 and joins[0].t1 is not None and not of(ops, user, *(ENDERS - {"join"})):
            start = max(since, joins[0].t1) + margin
            in_vain = bool(polls) and polls[-1].t0 > start and all(op.value["session"] is None for op in polls)
            if in_vain and lively(ops, user, polls[-1].t0):
                found.append(user)
    return found


def lost(ops: list[Op], budgets: Budgets) -> bool:
    """Two of them, and both had joined, some time before either polled for the last time."""
    users = waiters(ops, 0.0, budgets.match)
    latest = max((of(ops, user, "join")[0].t1 or 0.0 for user in users), default=0.0)
    return len(waiters(ops, latest, budgets.match)) >= 2


def left_over(ops: list[Op], budgets: Budgets) -> bool:
    """Two of them who had joined before the drain and polled within it."""
    drain = next(op for op in ops if op.op == "drain")
    users = waiters(ops, drain.t0, budgets.match)
    return sum((of(ops, user, "join")[0].t1 or 1e9) <= drain.t0 for user in users) >= 2


def never_told(ops: list[Op], budgets: Budgets) -> bool:
    """One of a session goes for good, the other one does nothing but poll, and is still shown the session later."""
    for sight in known(ops).values():
        for gone, stays in permutations(sight.members):
            lost = of(ops, gone, "disconnect", "lost")
            if not lost or lost[0].t0 < sight.known or of(ops, stays, *(ENDERS - {"join"})):
                continue
            due = lost[0].t0 + budgets.disconnect + budgets.tolerance
            shown = [s for s in sights(ops) if s.op.user == stays and s.op.op == "poll" and s.session == sight.session]
            silent = all(op.t0 <= lost[0].t0 for op in ops if op.user == gone)
            if silent and len(of(ops, stays, "join")) == 1 and any(s.since > due for s in shown):
                return True
    return False


PROVERS: dict[str, Callable[[list[Op], Budgets], bool]] = {
    "MM-S1": two_sessions_at_once,
    "MM-S2": himself,
    "MM-S3": other_names,
    "MM-S4": never_asked,
    "MM-S5": stale,
    "MM-S6": left,
    "MM-S7": too_many,
    "MM-L1": untold,
    "MM-L2": lost,
    "MM-L3": left_over,
    "MM-L5": never_told,
}
