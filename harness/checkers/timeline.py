"""The timeline: a history sorted into what each user did and saw, and what is known of each session.

Words used below. An op takes effect at one instant of its interval; an `info` op at any time from its start on, or
never. A poll or a join reply is *live*: it shows what was true at an instant between its start and its end. A push only
shows what was true at some time before it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec import Struct, field

from harness.history.op import FAIL, INFO, OK, Op, Via
from harness.target import Budgets, Capabilities

if TYPE_CHECKING:
    from harness.checkers.signals import Key, SentSignal
    from harness.checkers.waiting import Hidden, Wait

SIGHTS = frozenset({"poll", "push", "join", "look", "fetch"})
_BREAKS = frozenset({"disconnect", "lost"})
_SELF = Via.SELF
_NO_LIFE = frozenset({"disconnect", "lost", "drain", "fault", "push", "told", "signal_recv", "unsubscribe"})
"""Ops that are no sign of life: what was heard, and what stayed within the harness."""
_UNSURE_LIFE = frozenset({"look", "fetch", "entry", "befriend", "probe", "leave", "end", "signal_send"})
"""Signs of life that a target need not count as such."""
_RARE = frozenset(
    {"fault", "look", "status", "entry", "befriend", "probe", "signal_send", "signal_recv", "fetch", "connect"}
)
"""Ops that some checkers want by kind."""


class Sight(Struct, frozen=True, gc=False):
    """Somebody saw a session: it certainly existed from `known` on; what was seen was true at `since` or later."""

    op: Op
    session: str
    members: tuple[str, str]
    active: bool
    live: bool
    since: float
    known: float


class Effect(Struct, frozen=True, gc=False):
    """A call and the interval in which it may have taken effect."""

    op: Op
    start: float
    until: float


class Effects:
    """Effects in the order of their starts, with the question `which is the first that may come after a moment`."""

    __slots__ = ("_reach", "items")

    def __init__(self, items: Iterable[Effect]) -> None:
        self.items = sorted(items, key=lambda effect: effect.start)
        self._reach: list[float] = []
        reach = -math.inf
        for effect in self.items:
            reach = max(reach, effect.until)
            self._reach.append(reach)

    def first_after(self, moment: float, besides: Op | None = None) -> Effect | None:
        """The effect with the earliest start of those that may take effect later than `moment`."""
        for at in range(bisect_right(self._reach, moment), len(self.items)):
            effect = self.items[at]
            if effect.until > moment and effect.op is not besides:
                return effect
        return None

    def first_from(self, start: float, besides: Op | None = None) -> Effect | None:
        """The first effect that starts at `start` or later."""
        for at in range(bisect_left(self.items, start, key=_start), len(self.items)):
            if self.items[at].op is not besides:
                return self.items[at]
        return None

    def pending(self, moment: float) -> bool:
        """Whether one that started before `moment` may take effect after it."""
        at = bisect_left(self.items, moment, key=_start)
        return at > 0 and self._reach[at - 1] > moment


def _start(effect: Effect) -> float:
    return effect.start


class SessionFacts(Struct, gc=False):
    """What is known of one session. The last four are set by `harness.checkers.lifetimes`."""

    session: str
    sights: list[Sight]
    members: tuple[str, str]
    muddled: bool
    """Its sights disagree on who is in it, or it has not two members: only MM-S2 and MM-S3 look at it."""
    known: float
    """From this moment on it certainly exists."""
    seen_active: float
    """The latest moment for which a live sight proves that it has not ended before; -inf without one."""
    first: Sight
    ends: list[Effect] = field(default_factory=list)
    """Calls that end it by its id."""
    over_known: float = math.inf
    """From this moment on it is certainly over, because somebody was told or saw it ended."""
    born_after: float = -math.inf
    """It was certainly not born before."""
    active_until: float = math.inf
    """It was certainly active until then, unless the target ended it by itself."""
    ender: Effect | None = None
    """What may have ended it then."""
    sure_until: float = math.inf
    """As `active_until`, cut down to what sights prove where there are signs that the target ended it by itself."""

    def partner_of(self, user: str) -> str:
        """The other member."""
        return self.members[1] if self.members[0] == user else self.members[0]


class UserFacts(Struct, gc=False):
    """What one user did and saw, each list ordered by the start of the ops."""

    user: str
    ops: list[Op]
    asked: list[Op]
    """All his joins, whatever the answer."""
    joins: list[Effect]
    """Joins that took effect or may have; for users who are not fresh, first a pretended one before all."""
    leaves: list[Effect]
    left_by: list[float]
    """For each leave: when the first of it and its successors had certainly taken effect."""
    breaks: list[Effect]
    """Losses of his connection, each until he was back."""
    enders: Effects
    """What may end his session or his wait: joins, leaves, breaks. A first join that no other overlaps is not one."""
    polls: list[Op]
    empties: list[Op]
    """Polls that showed no session."""
    statuses: list[Op]
    """When he asked where he stands, whether or not he was told."""
    life: list[tuple[float, float]]
    """When he may have counted as alive: from each sign of life to its latest moment + TTL + tolerance, merged."""
    signs: list[Op]
    """Calls that certainly were signs of life."""
    devices: dict[str, float]
    """When each of his devices first did something."""
    told: dict[str, Op]
    """By session: when he learned that it was over."""
    sessions: list[SessionFacts] = field(default_factory=list)
    """Sessions that name him, by whomever they were seen, ordered by `known`."""

    @property
    def accounted(self) -> bool:
        """Whether each of his joins has led to a session that somebody saw."""
        return len(self.joins) <= len(self.sessions)


class Birth(Struct, frozen=True, gc=False):
    """A session of two known users, and the requirement that its birth breaks ("" for none)."""

    session: SessionFacts
    members: tuple[UserFacts, UserFacts]
    broken: str


class Facts(Struct):
    """A whole history, sorted."""

    users: dict[str, UserFacts]
    sessions: dict[str, SessionFacts]
    drains: list[Op]
    stray_ends: list[Effect]
    """Ends of sessions that nobody is known to have seen."""
    origin: float
    """When the first op started; findings give times relative to it."""
    end: float
    """When the last op ended."""
    budgets: Budgets
    capabilities: Capabilities
    kinds: dict[str, list[Op]]
    """The ops of some rarer kinds, each list ordered by start."""
    fresh: bool
    """Users brought nothing from an earlier run."""
    foreigners: bool
    """Sessions name users of whom the history holds no op: strangers take part, and hide things from us."""

    births: list[Birth] | None = None
    """The births of sessions of two known users, once somebody has judged them (see `harness.checkers.safety`)."""
    hidden: Hidden | None = None
    waits: list[Wait] | None = None
    """What `harness.checkers.waiting` has worked out, once somebody has asked for it."""
    signals: dict[Key, SentSignal] | None = None
    """What `harness.checkers.signals` has gathered, once somebody has asked for it."""

    def both(self, session: SessionFacts) -> tuple[UserFacts, UserFacts] | None:
        """The two members, where the history knows both and its sights agree."""
        one, two = (self.users.get(member) for member in session.members)
        return None if session.muddled or one is None or two is None else (one, two)


def by_kind(ops: Iterable[Op]) -> defaultdict[str, list[Op]]:
    """The ops of each kind, so that who looks for a few need not pass over all."""
    kinds: defaultdict[str, list[Op]] = defaultdict(list)
    for op in ops:
        kinds[op.op].append(op)
    return kinds


def sighting_of(op: Op) -> Sight | None:
    """What an op shows of a session; None for most ops."""
    if op.op not in SIGHTS or op.outcome is not OK:
        return None
    shown = op.value.get("session")
    if not isinstance(shown, dict) or not shown.get("id"):
        return None
    live = op.op != "push"
    end = op.t1 if op.t1 is not None else op.t0
    return Sight(
        op=op,
        session=str(shown["id"]),
        members=(str(shown.get("user1") or ""), str(shown.get("user2") or "")),
        active=shown.get("status") in {None, "active"},
        live=live,
        since=op.t0 if live else -math.inf,
        known=end,
    )


def effect_of(op: Op) -> Effect:
    """When a call may have taken effect: within its interval when it was ok, else at any time from its start."""
    until = op.t1 if op.t1 is not None and op.outcome is OK else math.inf
    return Effect(op, op.t0, until)


def sort_history(ops: Iterable[Op], budgets: Budgets, capabilities: Capabilities, *, fresh_users: bool) -> Facts:
    """Sorts a history. O(n log n); the ops are kept, not copied. Lifetimes stay unset."""
    by_user: defaultdict[str, list[Op]] = defaultdict(list)
    sights: defaultdict[str, list[Sight]] = defaultdict(list)
    ends: defaultdict[str, list[Effect]] = defaultdict(list)
    drains: list[Op] = []
    kinds: defaultdict[str, list[Op]] = defaultdict(list)
    ordered = sorted((op for op in ops if op.op != "generator"), key=attrgetter("t0"))
    end = -math.inf
    for op in ordered:
        kind, over = op.op, op.t0 if op.t1 is None else op.t1
        if over > end:
            end = over
        if kind == "drain":
            drains.append(op)
        elif op.user:
            by_user[op.user].append(op)
        if kind in _RARE:
            kinds[kind].append(op)
        if kind == "end" and op.outcome is not FAIL:
            ends[str(op.value.get("id"))].append(effect_of(op))
        if kind in SIGHTS and (sight := sighting_of(op)) is not None:
            sights[sight.session].append(sight)
    facts = Facts(
        users={user: _user_facts(user, own, budgets, fresh_users) for user, own in by_user.items()},
        sessions={session: _session_facts(seen, ends.get(session, [])) for session, seen in sights.items()},
        drains=drains,
        stray_ends=[effect for session, effects in ends.items() if session not in sights for effect in effects],
        origin=ordered[0].t0 if ordered else 0.0,
        end=end if ordered else 0.0,
        budgets=budgets,
        capabilities=capabilities,
        kinds=dict(kinds),
        fresh=fresh_users,
        foreigners=False,
    )
    _link(facts)
    return facts


def _link(facts: Facts) -> None:
    """Ties sessions to their users, in the order in which they became known."""
    for session in sorted(facts.sessions.values(), key=lambda session: session.known):
        for member in dict.fromkeys(member for sight in session.sights for member in sight.members if member):
            user = facts.users.get(member)
            if user is None:
                facts.foreigners = True
            else:
                user.sessions.append(session)
    for user in facts.users.values():
        for name, told in user.told.items():
            if name in facts.sessions:  # whoever hears of its end: it is over
                facts.sessions[name].over_known = min(facts.sessions[name].over_known, told.t0)


def _session_facts(sights: list[Sight], ends: list[Effect]) -> SessionFacts:
    first = min(sights, key=lambda sight: sight.known)
    named = {frozenset(sight.members) for sight in sights if all(sight.members)}
    strangers = any(sight.op.user not in sight.members for sight in sights if all(sight.members))
    members = next((sight.members for sight in sights if all(sight.members)), first.members)
    return SessionFacts(
        session=first.session,
        sights=sights,
        members=members,
        muddled=strangers or len(named) != 1 or any(len(pair) != 2 for pair in named),
        known=first.known,
        seen_active=max((sight.since for sight in sights if sight.active), default=-math.inf),
        first=first,
        ends=ends,
        over_known=min((sight.known for sight in sights if not sight.active), default=math.inf),
    )


def _user_facts(user: str, ops: list[Op], budgets: Budgets, fresh: bool) -> UserFacts:
    kinds: defaultdict[str, list[Op]] = defaultdict(list)
    devices: dict[str, float] = {}
    living: list[Op] = []
    for op in ops:
        kind = op.op
        kinds[kind].append(op)
        if op.device not in devices:
            devices[op.device] = op.t0
        if kind not in _NO_LIFE and op.via is not _SELF:
            living.append(op)
    joins = _effects(kinds, "join")
    if not fresh:
        joins.insert(0, _earlier_run(ops[0]))
    leaves = _effects(kinds, "leave")
    breaks = _breaks(kinds, ops[-1], budgets.tolerance)
    alone = len(joins) == 1 or (len(joins) > 1 and joins[1].start >= joins[0].until)
    polls = [op for op in kinds.get("poll", ()) if op.outcome is OK]
    return UserFacts(
        user=user,
        ops=ops,
        asked=kinds.get("join", []),
        joins=joins,
        leaves=leaves,
        left_by=list(accumulate((leave.until for leave in reversed(leaves)), min))[::-1],
        breaks=breaks,
        enders=Effects([*(joins[1:] if alone else joins), *leaves, *breaks]),
        polls=polls,
        empties=[op for op in polls if not op.value.get("session")],
        statuses=kinds.get("status", []),
        life=_life(living, budgets.queue_ttl + budgets.tolerance, -math.inf if fresh else ops[0].t0),
        signs=[op for op in living if op.outcome is OK and op.op not in _UNSURE_LIFE],
        devices=devices,
        told={str(op.value.get("id")): op for op in reversed(kinds.get("told", ()))},
    )


def _effects(kinds: Mapping[str, Sequence[Op]], kind: str) -> list[Effect]:
    """Those calls of a kind that took effect or may have."""
    return [effect_of(op) for op in kinds.get(kind, ()) if op.outcome is not FAIL]


def _earlier_run(first: Op) -> Effect:
    """The join that a user of a fixed list may have made before the history begins."""
    op = Op(0, -math.inf, -math.inf, first.process, first.user, first.device, "join", INFO, Via.HTTP)
    return Effect(op, -math.inf, -math.inf)


def _breaks(kinds: Mapping[str, Sequence[Op]], last: Op, tolerance: float) -> list[Effect]:
    """Each loss of a connection, with the time until which the target may act on it.

    A loss that the user did not make himself is noticed late, so it counts from `tolerance` before.
    """
    breaks: list[Effect] = []
    broken = [op for kind in _BREAKS for op in kinds.get(kind, ())]
    returns: dict[str, list[Op]] = {}
    came_back = ("back", "subscribe") if broken and broken != [last] else ()  # mostly he closed, and did nothing more
    for op in (op for kind in came_back for op in kinds.get(kind, ())):
        if op.op == "back" or op.outcome is OK:
            returns.setdefault(op.device, []).append(op)
    for mine in returns.values():
        mine.sort(key=lambda op: op.t0)
    for op in sorted(broken, key=lambda op: op.t0):
        mine = returns.get(op.device, [])
        at = bisect_right(mine, op.t0, key=lambda back: back.t0)
        back = mine[at] if at < len(mine) else None
        until = math.inf if back is None else (back.t1 if back.t1 is not None else back.t0) + tolerance
        breaks.append(Effect(op, op.t0 - (tolerance if op.op == "lost" else 0.0), until))
    return breaks


def _life(living: list[Op], lasts: float, before: float) -> list[tuple[float, float]]:
    """The merged intervals in which a user may count as alive.

    Args:
        living: his signs of life.
        lasts: how long one may hold.
        before: until then he may have given some of which the history knows nothing; -inf for nobody who is fresh.
    """
    merged: list[tuple[float, float]] = []
    since, until = (math.inf, -math.inf) if before == -math.inf else (-math.inf, before + lasts)
    for op in living:
        end = math.inf if op.op == "join" and op.outcome is INFO else lasts
        end += op.t1 if op.t1 is not None else op.t0 + lasts
        if op.t0 <= until:
            until = max(until, end)
            continue
        if since <= until:
            merged.append((since, until))
        since, until = op.t0, end
    return [*merged, (since, until)] if since <= until else merged
