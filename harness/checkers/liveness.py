"""Liveness: MM-L1, L2, L3 and L5, by the target's budgets."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from heapq import heappop, heappush

from harness.checkers.healing import Breach, Counted, Shadows, in_peace
from harness.checkers.telling import Teller, short
from harness.checkers.timeline import Effect, Facts, SessionFacts, UserFacts, sighting_of
from harness.checkers.waiting import Wait, alive_until, certain_waits, hidden_of
from harness.checkers.watching import MATCHES, Watches
from harness.history.op import Op
from harness.results.finding import CheckResult


def both_are_notified(facts: Facts) -> CheckResult:
    """MM-L1: both members learn of a session within `notify`, each by push and each by poll."""
    breaches, windows = notified(facts)
    detail = "" if windows else "no member of a session looked, or was subscribed, after `notify`"
    findings = in_peace(facts, "MM-L1", breaches)
    return CheckResult(requirement="MM-L1", checked=len(windows), findings=findings, detail=detail)


def notified(facts: Facts) -> Counted:
    """The members who were not told in time, and the windows in which a member was told or had to be."""
    teller = Teller(facts, "MM-L1")
    breaches: list[Breach] = []
    windows: list[tuple[float, float]] = []
    watches = {name: Watches(user) for name, user in facts.users.items() if user.sessions}
    for session in facts.sessions.values():
        for member in facts.both(session) or ():
            polled = _untold_by_poll(teller, facts, session, member) if facts.capabilities.poll else None
            pushed = (
                _untold_by_push(teller, facts, session, member, watches[member.user])
                if facts.capabilities.push
                else None
            )
            breaches += [breach for breach in (polled, pushed) if isinstance(breach, Breach)]
            if polled is not None or pushed is not None or any(s.op.user == member.user for s in session.sights):
                windows.append((session.born_after, session.known + facts.budgets.notify))
    return breaches, windows


def _untold_by_poll(teller: Teller, facts: Facts, session: SessionFacts, member: UserFacts) -> Breach | bool | None:
    """The poll that came up empty and had to show the session; True where one showed it, None where no poll tells."""
    due = session.known + facts.budgets.notify
    at = bisect_right(member.polls, due, key=lambda op: op.t0)
    if at == len(member.polls) or (member.polls[at].t1 or math.inf) >= session.active_until:
        return None
    at = bisect_right(member.empties, due, key=lambda op: op.t0)
    if at == len(member.empties) or (member.empties[at].t1 or math.inf) >= session.active_until:
        return True
    poll = member.empties[at]
    if (poll.t1 or math.inf) >= _heard_of_until(facts, session):
        return None
    sentence = (
        f"user {short(member.user)} polled at {teller.at(poll.t0)} and was not shown session {short(session.session)} "
        f"with {short(session.partner_of(member.user))} ({teller.seen(session.first)}, {teller.until(session)}); "
        f"a poll must show it within {facts.budgets.notify:g} s"
    )
    witness = (session.first.op, poll, session.ender.op if session.ender else None)
    start, due = session.born_after, poll.t1 or poll.t0
    return Breach(start, due, sentence, users=(member.user,), witness=witness, sessions=(session.session,))


def _heard_of_until(facts: Facts, session: SessionFacts) -> float:
    """Until then both members certainly counted as alive, since they joined: who is silent for the TTL may be taken for
    vanished, and his session be ended."""
    until = session.active_until
    for member in facts.both(session) or ():
        at = bisect_right(member.joins, session.known, key=lambda join: join.start)
        since = member.joins[at - 1].start if at else -math.inf
        until = min(until, alive_until(member, since, session.active_until, facts))
    return until


def _untold_by_push(
    teller: Teller, facts: Facts, session: SessionFacts, member: UserFacts, watches: Watches
) -> Breach | bool | None:
    """The push that failed to come in time to a member who was there all the while; None where nobody can tell."""
    due = session.known + facts.budgets.notify + facts.budgets.tolerance
    standing = watches.standing(MATCHES, session.born_after, due)
    if standing is None or session.active_until < due:
        return None
    pushes = [sight.op for sight in session.sights if sight.op.user == member.user and sight.op.op == "push"]
    if any(op.t0 <= due for op in pushes):
        return True
    watch, proof = standing
    late = f"the push came at {teller.at(pushes[0].t0)}" if pushes else "no push came"
    sentence = (
        f"user {short(member.user)} was subscribed since {teller.at(watch.since)}, and of session "
        f"{short(session.session)} with {short(session.partner_of(member.user))} ({teller.seen(session.first)}) "
        f"{late}; "
        f"it must come within {facts.budgets.notify:g} s (he was still connected at {teller.at(proof.t0)})"
    )
    witness = (watch.op, session.first.op, pushes[0] if pushes else None, proof)
    return Breach(session.born_after, due, sentence, (member.user,), witness, sessions=(session.session,))


def no_lost_wake_up(facts: Facts) -> CheckResult:
    """MM-L2: no two users certainly wait side by side for longer than `match`.

    Every two users are compatible: a mode that prefers buddies falls back to anybody.
    """
    breaches, windows = matched_in_time(facts)
    detail = "users outside this history take part" if facts.foreigners else ""
    if not windows and not detail:
        detail = "nobody's wait is proven by an empty poll or by its match"
    findings = in_peace(facts, "MM-L2", breaches)
    return CheckResult(requirement="MM-L2", checked=len(windows), findings=findings, detail=detail)


def matched_in_time(facts: Facts) -> Counted:
    """The pairs who waited side by side for too long, and the proven waits."""
    teller = Teller(facts, "MM-L2")
    waits = certain_waits(facts)
    breaches = [_lost_wake_up(teller, facts, pair) for pair in waited_in_vain(facts, waits)]
    windows = [(wait.start, wait.proven) for wait in waits if wait.proof is not None]
    return breaches, ([] if facts.foreigners else windows)


def waited_in_vain(facts: Facts, waits: list[Wait]) -> list[SideBySide]:
    """Each two waits that overlap for longer than `match` in a time that no fault touches, each wait told once."""
    shadows, allowed = Shadows(facts), facts.budgets.match
    late = [
        (start + allowed, end, wait)
        for wait in waits
        for start, end in shadows.pieces(wait.start, wait.proven)
        if start + allowed < end
    ]
    late.sort(key=lambda piece: piece[0])
    pairs: list[SideBySide] = []
    open_waits: list[tuple[float, int, float, Wait]] = []
    for at, (start, end, wait) in enumerate(late):
        while open_waits and open_waits[0][0] <= start:
            heappop(open_waits)
        if open_waits and open_waits[0][3].user is not wait.user:
            until, _, _, other = heappop(open_waits)
            pairs.append(SideBySide(other, wait, start - allowed, min(until, end)))
        else:
            heappush(open_waits, (end, at, start, wait))
    return pairs


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Two users who both certainly waited from `start` to `end`; the later of them came second."""

    earlier: Wait
    later: Wait
    start: float
    end: float


def _lost_wake_up(teller: Teller, facts: Facts, pair: SideBySide) -> Breach:
    one, other = pair.earlier, pair.later
    sentence = (
        f"users {short(one.user.user)} and {short(other.user.user)} waited side by side for "
        f"{pair.end - pair.start:.3f} s, from {teller.at(pair.start)} to {teller.at(pair.end)}, and were not matched; "
        f"{facts.budgets.match:g} s are allowed"
    )
    witness = (one.join, other.join, one.proof, other.proof)
    return Breach(pair.start, pair.start + facts.budgets.match, sentence, (one.user.user, other.user.user), witness)


def nobody_left_over(facts: Facts) -> CheckResult:
    """MM-L3: when the queue is drained, every join is accounted for, and at most one user is left waiting.

    A user is left when he polled in vain during the drain, at least `match` after its start. A match that nobody saw
    may explain one of them for each user who went without a trace.
    """
    teller = Teller(facts, "MM-L3")
    hidden = hidden_of(facts)
    if hidden.foreigners or not facts.drains:
        detail = "users outside this history take part" if hidden.foreigners else "the history holds no drain"
        return CheckResult(requirement="MM-L3", checked=0, detail=detail)
    waits = certain_waits(facts)
    told: set[frozenset[str]] = set()
    shadows = Shadows(facts)
    for drain in facts.drains:
        if not shadows.clear(drain.t0, drain.t1 if drain.t1 is not None else math.inf):
            continue
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
    teller, shadows = Teller(facts, "MM-L5"), Shadows(facts)
    checked = 0
    watches: dict[str, Watches] = {}
    for user in facts.users.values():
        for gone in user.breaks:
            if gone.op.op != "disconnect" or not shadows.clear(gone.start, _deadline(gone, facts)):
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
    """Whether the user stayed away and the partner stayed there until the deadline, and nobody ended the session.

    Who was told before that need not stay.
    """
    after = bisect_right(user.ops, gone.op.t1 or gone.start, key=lambda op: op.t0)
    if any(op.t0 <= due and op.op not in {"disconnect", "unsubscribe", "told"} for op in user.ops[after : after + 8]):
        return False
    if any(end.start <= due for end in session.ends) or _elsewhere(user, gone, due):
        return False
    moved = partner.enders.first_from(session.known)
    if moved is None or moved.start > due:
        return True
    told = partner.told.get(session.session)
    return told is not None and gone.start <= told.t0 <= moved.start


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
