"""Endings: MM-S8 (over is over), MM-S10 (a crash loses no session) and MM-L8 (nothing lasts for ever)."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right

from harness.checkers.telling import Teller, short
from harness.checkers.timeline import Facts, SessionFacts, Sight, UserFacts
from harness.history.op import OK, Op
from harness.results.finding import CheckResult

_SURE = frozenset({"update", "delete", "fetch"})
"""Ways of being told that show the session's own row; a partner's `call-ended` may come before the end itself."""


def over_is_over(facts: Facts) -> CheckResult:
    """MM-S8: an ended session stays ended and is never offered as a match.

    It is over when a member's end was accepted, when its row was seen ended, or when a member who had seen it joined
    anew, `match` ago: a join gives up the session that its user is in (design document, section 14).
    """
    teller = Teller(facts, "MM-S8")
    checked = 0
    for session in facts.sessions.values():
        over = None if session.muddled else _certainly_over(facts, session)
        if over is None:
            continue
        moment, op, why = over
        checked += _looked_after(facts, session, moment)
        shown = min((s for s in _live(session) if s.active and s.since > moment), key=_known, default=None)
        if shown is not None:
            teller.find(
                f"session {short(session.session)} of {short(session.members[0])} and {short(session.members[1])} was "
                f"over at {teller.at(moment)} ({why}), and was shown as active again ({teller.seen(shown)})",
                users=session.members, sessions=(session.session,), at=shown.known,
                witness=(session.first.op, op, shown.op),
            )  # fmt: skip
    detail = "" if checked else "nobody looked for a session that was over"
    return CheckResult(requirement="MM-S8", checked=checked, findings=tuple(teller.findings), detail=detail)


def _certainly_over(facts: Facts, session: SessionFacts) -> tuple[float, Op, str] | None:
    """From when on the session is over, the op that shows it, and why; None where nothing is certain."""
    found = [
        (end.until, end.op, f"{short(end.op.user)} had ended it")
        for end in session.ends
        if end.op.outcome is OK and end.op.user in session.members
    ]
    for user in facts.both(session) or ():
        told = user.told.get(session.session)
        if told is not None and told.value.get("by") in _SURE:
            found.append((told.t1 or told.t0, told, f"{short(user.user)} was told"))
        join = _joined_anew(user, session)
        if join is not None:
            given_up = (join.t1 or math.inf) + facts.budgets.match
            found.append((given_up, join, f"{short(user.user)}, who knew of it, had joined anew"))
    found += [(s.known, s.op, "it was shown ended") for s in _live(session) if not s.active]
    return min(found, key=lambda over: over[0], default=None)


def _joined_anew(user: UserFacts, session: SessionFacts) -> Op | None:
    """The first accepted join that he began after he had seen the session himself, and that did not bring it."""
    knew = min((s.known for s in session.sights if s.op.user == user.user), default=math.inf)
    at = bisect_right(user.joins, knew, key=lambda join: join.start)
    for join in user.joins[at : at + 8]:
        shown = join.op.value.get("session")
        again = isinstance(shown, dict) and shown.get("id") == session.session
        if join.op.outcome is OK and not again:
            return join.op
    return None


def _live(session: SessionFacts) -> list[Sight]:
    return [sight for sight in session.sights if sight.live]


def _known(sight: Sight) -> float:
    return sight.known


def _looked_after(facts: Facts, session: SessionFacts, moment: float) -> bool:
    """Whether a member asked for his active session after a moment."""
    return any(user.polls and user.polls[-1].t0 > moment for user in facts.both(session) or ())


def survives(facts: Facts) -> CheckResult:
    """MM-S10: a session that anybody had seen is still there after a crash, or was ended.

    Proof of a loss: a member asks for it by its id and is shown nothing, after the fault (`fault` with its kind, from
    the blow to the end of the repair) is over; or he polls in vain, though nobody did anything that may have ended it
    and his and his partner's sockets, if they had any, were never seen to break.
    """
    teller = Teller(facts, "MM-S10")
    checked = 0
    faults = [op for op in facts.kinds.get("fault", []) if op.t1 is not None]
    looks: dict[str, list[Op]] = {}
    for op in (*facts.kinds.get("look", []), *facts.kinds.get("fetch", [])):
        if op.outcome is OK and "session" in op.value:
            looks.setdefault(str(op.value.get("id")), []).append(op)
    for session in facts.sessions.values() if faults else ():
        if session.muddled:
            continue
        fault = next((op for op in faults if op.t0 > session.known), None)
        if fault is None:
            continue
        asked, missing = _missing(facts, session, fault, looks.get(session.session, []))
        checked += asked
        if missing is not None:
            kind = fault.value.get("kind", "fault")
            teller.find(
                f"session {short(session.session)} of {short(session.members[0])} and {short(session.members[1])} "
                f"({teller.seen(session.first)}) did not survive the fault ({kind}) at {teller.at(fault.t0)}: "
                f"{short(missing.user)} asked for it at {teller.at(missing.t0)} and was shown nothing",
                users=session.members, sessions=(session.session,), at=missing.t1 or missing.t0,
                witness=(session.first.op, fault, missing),
            )  # fmt: skip
    detail = "" if checked else "nobody looked for his session after a crash" if faults else "nothing crashed"
    return CheckResult(requirement="MM-S10", checked=checked, findings=tuple(teller.findings), detail=detail)


def _missing(facts: Facts, session: SessionFacts, fault: Op, looks: list[Op]) -> tuple[bool, Op | None]:
    """Whether anybody asked for the session after the fault, and the op that did not find it."""
    healed = fault.t1 if fault.t1 is not None else math.inf
    latest = session.known + facts.budgets.session_max_age - facts.budgets.tolerance
    mine = [op for op in looks if op.user in session.members and healed < op.t0 and (op.t1 or op.t0) < latest]
    gone = next((op for op in mine if not op.value.get("session")), None)
    if gone is not None:
        return True, gone
    polls = _polls_after(facts, session, healed, latest)
    if session.over_known < math.inf or session.active_until < fault.t0:
        return bool(mine or polls), None
    return bool(mine or polls), next(
        (op for op in polls if not op.value.get("session") and (op.t1 or math.inf) < session.active_until), None
    )


def _polls_after(facts: Facts, session: SessionFacts, healed: float, latest: float) -> list[Op]:
    """The first few polls of the members that began after the fault."""
    polls: list[Op] = []
    for user in facts.both(session) or ():
        at = bisect_right(user.polls, healed, key=lambda op: op.t0)
        polls += [op for op in user.polls[at : at + 8] if (op.t1 or math.inf) < latest]
    return polls


def ends_by_age(facts: Facts) -> CheckResult:
    """MM-L8: a session is no longer active after its greatest age."""
    teller = Teller(facts, "MM-L8")
    allowed = facts.budgets.session_max_age + facts.budgets.tolerance
    checked = 0
    for session in facts.sessions.values():
        if session.muddled or session.known + allowed >= facts.end:
            continue
        old = session.known + allowed
        shown = min((s for s in _live(session) if s.active and s.since > old), key=_known, default=None)
        checked += shown is not None or _asked_from(facts, session, old)
        if shown is not None:
            teller.find(
                f"session {short(session.session)} of {short(session.members[0])} and {short(session.members[1])} "
                f"({teller.seen(session.first)}) was still active at {teller.at(shown.since)}; it must end by itself "
                f"after {facts.budgets.session_max_age:g} s",
                users=session.members, sessions=(session.session,), at=shown.known,
                witness=(session.first.op, shown.op),
            )  # fmt: skip
    detail = "" if checked else "no session was looked at beyond its greatest age"
    return CheckResult(requirement="MM-L8", checked=checked, findings=tuple(teller.findings), detail=detail)


def _asked_from(facts: Facts, session: SessionFacts, old: float) -> bool:
    """Whether a member polled in vain beyond the greatest age, while nobody else had ended the session before it."""
    if session.ender is not None and session.ender.start < old:
        return False
    for user in facts.both(session) or ():
        at = bisect_left(user.polls, old, key=lambda op: op.t0)
        if at < len(user.polls):
            return True
    return False
