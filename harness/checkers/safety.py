"""Safety: MM-S1 to MM-S7, of which one violation is enough."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from harness.checkers.lifetimes import Floors
from harness.checkers.telling import Teller, short
from harness.checkers.timeline import Birth, Facts, SessionFacts, UserFacts
from harness.checkers.waiting import possible_birth
from harness.history.op import Op
from harness.results.finding import CheckResult


def one_session_at_a_time(facts: Facts) -> CheckResult:
    """MM-S1: no two sessions that share a user overlap in the times in which they were certainly active."""
    teller = Teller(facts, "MM-S1")
    told: set[frozenset[str]] = set()
    for double in double_matches(facts):
        if double.pair in told:
            continue
        told.add(double.pair)
        one, other, user = double.earlier, double.later, double.user
        sentence = (
            f"user {short(user.user)} was in two sessions at once at {teller.at(other.known)}: "
            f"{_session(teller, one, user)} and {_session(teller, other, user)}"
        )
        teller.find(
            sentence, users=(user.user,), sessions=(one.session, other.session), at=other.known,
            witness=(_join_before(user, one.known), one.first.op, other.first.op, _lasted(one), _lasted(other)),
        )  # fmt: skip
    checked = sum(bool(user.sessions) for user in facts.users.values())
    return CheckResult(requirement="MM-S1", checked=checked, findings=tuple(teller.findings))


@dataclass(frozen=True, slots=True)
class DoubleMatch:
    """A user in two sessions that were certainly active at one moment."""

    user: UserFacts
    earlier: SessionFacts
    later: SessionFacts

    @property
    def pair(self) -> frozenset[str]:
        """The two session ids."""
        return frozenset((self.earlier.session, self.later.session))


def double_matches(facts: Facts) -> list[DoubleMatch]:
    """Each session of each user that was certainly active while one that became known earlier was so too."""
    found = []
    for user in facts.users.values():
        longest: list[SessionFacts] = []  # of those known so far, the two that were active longest
        knowns = [session.known for session in user.sessions]
        reached: list[list[SessionFacts]] = []
        for session in user.sessions:
            if not session.muddled:
                longest = sorted([*longest, session], key=lambda other: other.sure_until, reverse=True)[:2]
            reached.append(longest)
        for session in user.sessions:
            for start, end in () if session.muddled else _moments(session):
                at = bisect_right(knowns, start)
                earlier = next((x for x in (reached[at - 1] if at else []) if x is not session), None)
                if earlier is not None and earlier.sure_until > end:
                    found.append(DoubleMatch(user, earlier, session))
                    break
    return found


def _moments(session: SessionFacts) -> list[tuple[float, float]]:
    """Intervals within each of which the session was certainly active at one instant at least."""
    if session.sure_until > session.known:
        return [(session.known, session.known)]
    return [(sight.since, sight.known) for sight in session.sights if sight.live and sight.active]


def not_with_himself(facts: Facts) -> CheckResult:
    """MM-S2: nobody is matched with himself."""
    teller = Teller(facts, "MM-S2")
    for session in facts.sessions.values():
        alone = next((sight for sight in session.sights if sight.members[0] and len(set(sight.members)) == 1), None)
        if alone is None:
            continue
        user = alone.members[0]
        joins = (
            [join.op for join in facts.users[user].joins if join.start < session.known] if user in facts.users else []
        )
        devices = len({op.device for op in joins})
        across = f", after joins from {devices} devices" if devices > 1 else ""
        teller.find(
            f"user {short(user)} was matched with himself in session {short(session.session)} "
            f"({teller.seen(alone)}){across}",
            users=(user,), sessions=(session.session,), at=alone.known, witness=(*joins[-3:], alone.op),
        )  # fmt: skip
    return CheckResult(requirement="MM-S2", checked=len(facts.sessions), findings=tuple(teller.findings))


def same_two_users(facts: Facts) -> CheckResult:
    """MM-S3: every sight of a session names the same two users, and nobody else sees it."""
    teller = Teller(facts, "MM-S3")
    for session in facts.sessions.values():
        named = [sight for sight in session.sights if all(sight.members)]
        other = next((sight for sight in named if set(sight.members) != set(named[0].members)), None)
        if other is not None:
            teller.find(
                f"session {short(session.session)} names {_pair(named[0].members)} ({teller.seen(named[0])}), "
                f"and {_pair(other.members)} ({teller.seen(other)})",
                users=tuple(dict.fromkeys(named[0].members + other.members)), sessions=(session.session,),
                at=other.known, witness=(named[0].op, other.op),
            )  # fmt: skip
        stranger = next((sight for sight in named if sight.op.user not in sight.members), None)
        if stranger is not None:
            mine = next((sight for sight in named if sight.op.user in sight.members), None)
            teller.find(
                f"user {short(stranger.op.user)} saw session {short(session.session)} of {_pair(stranger.members)}, "
                f"who is not in it ({teller.seen(stranger)})",
                users=(stranger.op.user, *stranger.members), sessions=(session.session,), at=stranger.known,
                witness=(stranger.op, mine.op if mine else None),
            )  # fmt: skip
    return CheckResult(requirement="MM-S3", checked=len(facts.sessions), findings=tuple(teller.findings))


def both_waited(facts: Facts) -> CheckResult:
    """MM-S4: a match joins two users who may both have been waiting at one moment."""
    teller = Teller(facts, "MM-S4")
    judged = _births(facts)
    for birth in judged:
        if birth.broken != "MM-S4":
            continue
        one, other = birth.members
        idle = next((user for user in birth.members if not _joined_before(user, birth.session.known)), None)
        why = f"{short(idle.user)} had not asked for a match by then" if idle else "they never waited at the same time"
        sentence = f"users {short(one.user)} and {short(other.user)} were matched, but {why}: {_birth(teller, birth)}"
        _tell(
            teller, birth, sentence, [_join_before(user, birth.session.known) or user.ops[0] for user in birth.members]
        )
    return CheckResult(requirement="MM-S4", checked=len(judged), findings=tuple(teller.findings))


def no_stale_entry(facts: Facts) -> CheckResult:
    """MM-S5: no match with a user whose last sign of life lies longer back than TTL + tolerance."""
    teller = Teller(facts, "MM-S5")
    budget = facts.budgets
    for birth in _births(facts):
        if birth.broken != "MM-S5":
            continue
        stale = min(birth.members, key=lambda user: _last_sign(user, birth.session.known).t0)
        sign = _last_sign(stale, birth.session.known)
        other = birth.members[0] if birth.members[1] is stale else birth.members[1]
        sentence = (
            f"user {short(other.user)} was matched with {short(stale.user)}, whose last sign of life was at "
            f"{teller.at(sign.t0)} (entries live {budget.queue_ttl:g} s + {budget.tolerance:g} s): "
            f"{_birth(teller, birth)}"
        )
        known = birth.session.known
        _tell(teller, birth, sentence, [_join_before(stale, known), sign, _join_before(other, known)])
    expired = sum(_expired(user, facts) for user in facts.users.values())
    return CheckResult(
        requirement="MM-S5",
        checked=expired,
        findings=tuple(teller.findings),
        detail="" if expired else "no entry outlived its TTL",
    )


def none_after_leave(facts: Facts) -> CheckResult:
    """MM-S6: after an accepted leave and no newer join, no match."""
    teller = Teller(facts, "MM-S6")
    for birth in _births(facts):
        if birth.broken != "MM-S6":
            continue
        known = birth.session.known
        leaves = [(leave, user) for user in birth.members for leave in user.leaves if leave.until <= known]
        leave, user = max(leaves, key=lambda pair: pair[0].until)
        other = birth.members[0] if birth.members[1] is user else birth.members[1]
        sentence = (
            f"user {short(user.user)} left the queue at {teller.at(leave.until)}, did not join again, and was matched "
            f"with {short(other.user)} all the same: {_birth(teller, birth)}"
        )
        _tell(teller, birth, sentence, [_join_before(user, leave.start), leave.op, _join_before(other, known)])
    raced = _raced_leaves(facts)
    return CheckResult(
        requirement="MM-S6",
        checked=raced,
        findings=tuple(teller.findings),
        detail="" if raced else "nobody left the queue while somebody else came",
    )


def _raced_leaves(facts: Facts) -> int:
    """Accepted leaves of users who had joined, with a join of somebody else within `match` of them."""
    joins = sorted((join.start, join.op.user) for user in facts.users.values() for join in user.joins)
    raced = 0
    for user in facts.users.values():
        for leave in user.leaves:
            if leave.until < math.inf and _joined_before(user, leave.start):
                at = bisect_left(joins, (leave.start - facts.budgets.match, ""))
                near = (joins[n] for n in range(at, min(at + 64, len(joins))))
                raced += any(name != user.user and start <= leave.until + facts.budgets.match for start, name in near)
    return raced


def one_session_for_a_join(facts: Facts) -> CheckResult:
    """MM-S7: k joins of one user lead to at most one queue entry, and each entry to at most one session.

    A user who has two sessions at once after one join breaks MM-S1, and is not told again here; a session that cannot
    have come from a join at all breaks MM-S4, and does not count here.
    """
    teller = Teller(facts, "MM-S7")
    doubles = {(double.user.user, double.later.session) for double in double_matches(facts)}
    unasked = {birth.session.session for birth in _births(facts) if birth.broken == "MM-S4"}
    told: set[frozenset[str]] = set()
    for user in facts.users.values():
        floors = Floors(user)
        sessions = [session for session in user.sessions if not session.muddled and session.session not in unasked]
        excess = 0
        for at in range(1, len(sessions)):
            one, other = sessions[at - 1], sessions[at]
            begun = bisect_right(user.joins, other.known, key=lambda join: join.start)
            short_of = begun + excess < at + 1 and begun > 0
            if not short_of and _entries_between(user, one, other) >= 2:
                continue
            excess += short_of
            floor = floors.of(one)
            feeding = [join.op for join in user.joins[:begun] if floor is None or join.start >= floor.start]
            pair = frozenset((one.session, other.session))
            if pair in told or not feeding or ((user.user, other.session) in doubles and len(feeding) == 1):
                continue
            told.add(pair)
            joins = "joined once" if len(feeding) == 1 else f"joined {len(feeding)} times for one place in the queue"
            sentence = (
                f"user {short(user.user)} {joins} and got two sessions: "
                f"{_session(teller, one, user)} and {_session(teller, other, user)}"
            )
            teller.find(
                sentence, users=(user.user,), sessions=(one.session, other.session), at=other.known,
                witness=(*feeding[:2], one.first.op, other.first.op, _lasted(one)),
            )  # fmt: skip
    checked = sum(bool(user.joins) for user in facts.users.values())
    detail = "" if checked else "nobody joined"
    return CheckResult(requirement="MM-S7", checked=checked, findings=tuple(teller.findings), detail=detail)


def _entries_between(user: UserFacts, one: SessionFacts, other: SessionFacts) -> int:
    """How many queue entries can have stood between the earlier possible birth of two sessions and the later sight.

    Joins that were over before make one entry at most; each join that may take effect within may make another.
    """
    start, end = min(one.born_after, other.born_after), max(one.known, other.known)
    at = bisect_right(user.joins, end, key=lambda join: join.start)
    within = 0
    for join in reversed(user.joins[:at]):
        if join.until > start:
            within += 1
        if within >= 2:
            return within
    return within + (within < at)


def _births(facts: Facts) -> list[Birth]:
    """The births of all sessions of two known users, judged once for all checkers that ask."""
    if facts.births is None:
        facts.births = [
            Birth(session, members, _broken_by(session, members))
            for session in facts.sessions.values()
            if (members := facts.both(session)) is not None
        ]
    return facts.births


def _broken_by(session: SessionFacts, members: tuple[UserFacts, UserFacts]) -> str:
    """The first of MM-S6, MM-S5 without which the birth would have been possible; MM-S4 where neither helps."""
    one, other = members
    if possible_birth(session, one, other):
        return ""
    if not all(_joined_before(user, session.known) for user in members):
        return "MM-S4"
    if possible_birth(session, one, other, leaves=False):
        return "MM-S6"
    return "MM-S5" if possible_birth(session, one, other, ttl=False) else "MM-S4"


def _tell(teller: Teller, birth: Birth, sentence: str, witness: list[Op | None]) -> None:
    teller.find(
        sentence, users=tuple(user.user for user in birth.members), sessions=(birth.session.session,),
        at=birth.session.known, witness=(*witness, birth.session.first.op),
    )  # fmt: skip


def _birth(teller: Teller, birth: Birth) -> str:
    since = birth.session.born_after
    earliest = f", born after {teller.at(since)}" if math.isfinite(since) else ""
    return f"session {short(birth.session.session)} ({teller.seen(birth.session.first)}{earliest})"


def _session(teller: Teller, session: SessionFacts, user: UserFacts) -> str:
    partner = short(session.partner_of(user.user))
    return f"{short(session.session)} with {partner} ({teller.seen(session.first)}, {teller.until(session)})"


def _pair(members: tuple[str, str]) -> str:
    return f"{short(members[0])} and {short(members[1])}"


def _lasted(session: SessionFacts) -> Op | None:
    """The op that shows how long the session lasted."""
    if session.seen_active >= session.active_until:
        return max((s for s in session.sights if s.active), key=lambda sight: sight.since).op
    return session.ender.op if session.ender is not None else None


def _joined_before(user: UserFacts, moment: float) -> bool:
    return bool(user.joins) and user.joins[0].start <= moment


def _join_before(user: UserFacts, moment: float) -> Op | None:
    at = bisect_right(user.joins, moment, key=lambda join: join.start)
    return user.joins[at - 1].op if at else None


def _last_sign(user: UserFacts, moment: float) -> Op:
    """The last op before a moment that may count as a sign of life."""
    at = bisect_right(user.signs, moment, key=lambda op: op.t0)
    return user.signs[at - 1] if at else user.ops[0]


def _expired(user: UserFacts, facts: Facts) -> bool:
    """Whether the user fell silent for longer than the TTL while the history went on, with his join unanswered."""
    return bool(user.joins) and not user.accounted and user.life[-1][1] < facts.end


SAFETY: dict[str, Callable[[Facts], CheckResult]] = {
    "MM-S1": one_session_at_a_time,
    "MM-S2": not_with_himself,
    "MM-S3": same_two_users,
    "MM-S4": both_waited,
    "MM-S5": no_stale_entry,
    "MM-S6": none_after_leave,
    "MM-S7": one_session_for_a_join,
}
