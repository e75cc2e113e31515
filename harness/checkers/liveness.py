"""Liveness: MM-L1, L2, L3 and L5, by the target's budgets."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from heapq import heappop, heappush

from harness.checkers.telling import Teller, short
from harness.checkers.timeline import Effect, Facts, SessionFacts, UserFacts, sighting_of
from harness.checkers.waiting import Hidden, Wait, certain_waits
from harness.checkers.watching import MATCHES, Watches
from harness.history.op import Op
from harness.results.finding import CheckResult


def both_are_notified(facts: Facts) -> CheckResult:
    """MM-L1: both members learn of a session within `notify`, each by push and each by poll."""
    teller = Teller(facts, "MM-L1")
    checked = 0
    watches = {name: Watches(user) for name, user in facts.users.items() if user.sessions}
    for session in facts.sessions.values():
        members = facts.both(session)
        for member in members or ():
            polled = _untold_by_poll(teller, facts, session, member) if facts.capabilities.poll else None
            pushed = (
                _untold_by_push(teller, facts, session, member, watches[member.user])
                if facts.capabilities.push
                else None
            )
            saw = any(sight.op.user == member.user for sight in session.sights)
            checked += saw or polled is not None or pushed is not None
    return CheckResult(requirement="MM-L1", checked=checked, findings=tuple(teller.findings))


def _untold_by_poll(teller: Teller, facts: Facts, session: SessionFacts, member: UserFacts) -> bool | None:
    """Whether a poll came up empty that had to show the session; None where no poll tells."""
    due = session.known + facts.budgets.notify
    at = bisect_right(member.polls, due, key=lambda op: op.t0)
    if at == len(member.polls) or (member.polls[at].t1 or math.inf) >= session.active_until:
        return None
    at = bisect_right(member.empties, due, key=lambda op: op.t0)
    if at == len(member.empties) or (member.empties[at].t1 or math.inf) >= session.active_until:
        return False
    poll = member.empties[at]
    teller.find(
        f"user {short(member.user)} polled at {teller.at(poll.t0)} and was not shown session {short(session.session)} "
        f"with {short(session.partner_of(member.user))} ({teller.seen(session.first)}, {teller.until(session)}); "
        f"a poll must show it within {facts.budgets.notify:g} s",
        users=(member.user,), sessions=(session.session,), at=poll.t1 or poll.t0,
        witness=(session.first.op, poll, session.ender.op if session.ender else None),
    )  # fmt: skip
    return True


def _untold_by_push(
    teller: Teller, facts: Facts, session: SessionFacts, member: UserFacts, watches: Watches
) -> bool | None:
    """Whether a push failed to come in time to a member who was there all the while; None where nobody can tell."""
    due = session.known + facts.budgets.notify + facts.budgets.tolerance
    standing = watches.standing(MATCHES, session.born_after, due)
    if standing is None or session.active_until < due:
        return None
    pushes = [sight.op for sight in session.sights if sight.op.user == member.user and sight.op.op == "push"]
    if any(op.t0 <= due for op in pushes):
        return False
    watch, proof = standing
    late = f"the push came at {teller.at(pushes[0].t0)}" if pushes else "no push came"
    teller.find(
        f"user {short(member.user)} was subscribed since {teller.at(watch.since)}, and of session "
        f"{short(session.session)} with {short(session.partner_of(member.user))} ({teller.seen(session.first)}) "
        f"{late}; "
        f"it must come within {facts.budgets.notify:g} s (he was still connected at {teller.at(proof.t0)})",
        users=(member.user,), sessions=(session.session,), at=due,
        witness=(watch.op, session.first.op, pushes[0] if pushes else None, proof),
    )  # fmt: skip
    return True


def no_lost_wake_up(facts: Facts) -> CheckResult:
    """MM-L2: no two users certainly wait side by side for longer than `match`.

    Every two users are compatible: a mode that prefers buddies falls back to anybody.
    """
    teller = Teller(facts, "MM-L2")
    hidden = Hidden(facts)
    waits = certain_waits(facts, hidden)
    late = sorted(
        (wait for wait in waits if wait.start + facts.budgets.match < wait.proven), key=lambda wait: wait.start
    )
    open_waits: list[tuple[float, int, Wait]] = []
    for at, wait in enumerate(late):
        start = wait.start + facts.budgets.match
        while open_waits and open_waits[0][0] <= start:
            heappop(open_waits)
        if open_waits and open_waits[0][2].user is not wait.user:
            _tell_lost(teller, facts, heappop(open_waits)[2], wait)
        else:
            heappush(open_waits, (wait.proven, at, wait))
    detail = "users outside this history take part" if hidden.foreigners else ""
    checked = 0 if hidden.foreigners else sum(wait.proof is not None for wait in waits)
    return CheckResult(requirement="MM-L2", checked=checked, findings=tuple(teller.findings), detail=detail)


def _tell_lost(teller: Teller, facts: Facts, one: Wait, other: Wait) -> None:
    start, end = max(one.start, other.start), min(one.proven, other.proven)
    teller.find(
        f"users {short(one.user.user)} and {short(other.user.user)} waited side by side for {end - start:.3f} s, from "
        f"{teller.at(start)} to {teller.at(end)}, and were not matched; {facts.budgets.match:g} s are allowed",
        users=(one.user.user, other.user.user), at=start + facts.budgets.match,
        witness=(one.join, other.join, one.proof, other.proof),
    )  # fmt: skip


def nobody_left_over(facts: Facts) -> CheckResult:
    """MM-L3: when the queue is drained, every join is accounted for, and at most one user is left waiting.

    A user is left when he polled in vain during the drain, at least `match` after its start. A match that nobody saw
    may explain one of them for each user who went without a trace.
    """
    teller = Teller(facts, "MM-L3")
    hidden = Hidden(facts)
    if hidden.foreigners or not facts.drains:
        detail = "users outside this history take part" if hidden.foreigners else "the history holds no drain"
        return CheckResult(requirement="MM-L3", checked=0, detail=detail)
    waits = certain_waits(facts, hidden)
    told: set[frozenset[str]] = set()
    for drain in facts.drains:
        left = {wait.user.user: (wait, poll) for wait in waits if (poll := _left_at(wait, drain, facts)) is not None}
        explained = len(hidden.suspects - left.keys()) + len(facts.stray_ends)
        names = frozenset(left)
        if len(left) - explained <= 1 or names in told:
            continue
        told.add(names)
        shown = sorted(left.values(), key=lambda pair: pair[0].start)
        listed = ", ".join(short(wait.user.user) for wait, _ in shown[:6]) + (", …" if len(shown) > 6 else "")
        teller.find(
            f"{len(left)} users were left waiting when nobody came any more ({listed}): all had joined by "
            f"{teller.at(drain.t0)} and polled in vain after {teller.at(drain.t0 + facts.budgets.match)}; "
            f"one at most may be left",
            users=[wait.user.user for wait, _ in shown], at=max(poll.t0 for _, poll in shown),
            witness=[op for wait, poll in shown[:3] for op in (wait.join, poll)],
        )  # fmt: skip
    return CheckResult(requirement="MM-L3", checked=len(facts.drains), findings=tuple(teller.findings))


def _left_at(wait: Wait, drain: Op, facts: Facts) -> Op | None:
    """The poll inside the drain that shows a user still waiting."""
    if wait.start > drain.t0:
        return None
    empties = wait.user.empties
    at = bisect_left(empties, drain.t0 + facts.budgets.match, key=lambda op: op.t0)
    end = min(wait.limit, drain.t1 if drain.t1 is not None else math.inf)
    return empties[at] if at < len(empties) and empties[at].t0 <= end else None


def partner_is_told(facts: Facts) -> CheckResult:
    """MM-L5: when a user vanishes, his partner is told, or no longer shown the session, within `disconnect`."""
    teller = Teller(facts, "MM-L5")
    checked = 0
    watches: dict[str, Watches] = {}
    for user in facts.users.values():
        for gone in user.breaks:
            if gone.op.op != "disconnect":
                continue
            for session in _sessions_at(user, gone.start):
                partner = facts.users.get(session.partner_of(user.user))
                if partner is not None and _must_hear(user, gone, session, partner, _deadline(gone, facts)):
                    if partner.user not in watches:
                        watches[partner.user] = Watches(partner)
                    checked += _hears(teller, facts, gone, session, partner, watches[partner.user])
    detail = "" if checked else "nobody vanished from a session whose partner stayed"
    return CheckResult(requirement="MM-L5", checked=checked, findings=tuple(teller.findings), detail=detail)


def _deadline(gone: Effect, facts: Facts) -> float:
    vanished = gone.op.t1 if gone.op.t1 is not None else gone.op.t0
    return vanished + facts.budgets.disconnect + facts.budgets.tolerance


def _sessions_at(user: UserFacts, moment: float) -> list[SessionFacts]:
    """The user's sessions that were certainly active at a moment, of the last few that were known by then."""
    at = bisect_left(user.sessions, moment, key=lambda session: session.known)
    return [
        session for session in user.sessions[max(0, at - 4) : at]
        if not session.muddled and session.active_until >= moment
    ]  # fmt: skip


def _must_hear(user: UserFacts, gone: Effect, session: SessionFacts, partner: UserFacts, due: float) -> bool:
    """Whether the user stayed away and the partner stayed there until the deadline, and nobody ended the session."""
    after = bisect_right(user.ops, gone.op.t1 or gone.start, key=lambda op: op.t0)
    if any(op.t0 <= due and op.op not in {"disconnect", "unsubscribe", "told"} for op in user.ops[after : after + 8]):
        return False
    if any(end.start <= due for end in session.ends) or _elsewhere(user, gone, due):
        return False
    moved = partner.enders.first_from(session.known)
    return moved is None or moved.start > due


def _elsewhere(user: UserFacts, gone: Effect, due: float) -> bool:
    """Whether the user may still have been there with another device."""
    away = {lost.op.device for lost in user.breaks if lost.start <= gone.start and lost.until > due}
    return any(device not in away and since <= due for device, since in user.devices.items())


def _hears(
    teller: Teller, facts: Facts, gone: Effect, session: SessionFacts, partner: UserFacts, watches: Watches
) -> bool:
    """Whether the history shows when the partner heard of it; adds a finding where it was not in time."""
    due = _deadline(gone, facts)
    told = partner.told.get(session.session)
    if told is not None and told.t0 <= due:
        return True
    start = bisect_left(partner.polls, gone.start, key=lambda op: op.t0)
    polls = partner.polls[start:]
    if any(op.t0 <= due and not _shows(op, session) for op in polls):
        return True
    shown = next((op for op in polls if op.t0 > due and _shows(op, session)), None)
    standing = watches.standing(f"session:{session.session}", gone.start, due) if facts.capabilities.push else None
    if shown is None and standing is None:
        return False
    proof = shown or told or (standing[1] if standing else None)
    how = f"a poll at {teller.at(shown.t0)} still showed the session" if shown else "he was not told"
    if told is not None:
        how = f"he was told at {teller.at(told.t0)}"
    kind = gone.op.value.get("kind", "close")
    teller.find(
        f"user {short(gone.op.user)} vanished ({kind}) at {teller.at(gone.op.t0)} from session "
        f"{short(session.session)} with {short(partner.user)}, who had to learn of it by {teller.at(due)}: {how}",
        users=(gone.op.user, partner.user), sessions=(session.session,), at=due,
        witness=(session.first.op, gone.op, standing[0].op if standing else None, proof),
    )  # fmt: skip
    return True


def _shows(poll: Op, session: SessionFacts) -> bool:
    sight = sighting_of(poll)
    return sight is not None and sight.active and sight.session == session.session


LIVENESS: dict[str, Callable[[Facts], CheckResult]] = {
    "MM-L1": both_are_notified,
    "MM-L2": no_lost_wake_up,
    "MM-L3": nobody_left_over,
    "MM-L5": partner_is_told,
}
