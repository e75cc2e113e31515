"""Toy histories: a script of small numbers, played by two to four users on a tiny matcher that may have one fault.

Every number of a script is drawn by Hypothesis, so that a history that shows a disagreement shrinks to few ops.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import strategies as st

from harness.history.op import Op, Outcome, Via
from harness.target import Budgets

BUDGETS = Budgets(queue_ttl=6, match=1, notify=1, disconnect=3, tolerance=0.5)
FAULTS = ("", "S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8")
ACTS = ("join", "join", "join", "join", "poll", "poll", "poll", "leave", "end", "vanish")
GAPS = (0.05, 0.3, 0.3, 1.5, 4.0, 9.0)
LASTS = (0.1, 0.1, 0.6, 2.0)
LATE = (0.0, 0.4, 2.5)
FATES = ("ok",) * 12 + ("late", "applied", "lost", "refused")

Step = tuple[int, int, int, int, int, int]
"""User, act, gap, how long, when within it takes effect, fate: each a small number."""

MOST = (3, len(ACTS) - 1, len(GAPS) - 1, len(LASTS) - 1, 2, len(FATES) - 1)
STEP = st.tuples(*(st.integers(0, most) for most in MOST))
SCRIPT = st.tuples(
    st.lists(STEP, min_size=4, max_size=9),
    st.integers(0, 2**12 - 1),
    st.sampled_from(FAULTS),
)
"""The steps, twelve bits that decide small things (who is pushed to, and how often), and the fault."""


@dataclass
class Session:
    id: str
    members: tuple[str, str]
    active: bool = True


class Toy:
    """The matcher, its users and what they write down."""

    def __init__(self, bits: int, fault: str) -> None:
        self.fault = fault
        self.bits = bits
        self.now = 0.0
        self.ops: list[Op] = []
        self.life: dict[str, float] = {}
        self.queue: list[str] = []
        self.sessions: list[Session] = []
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count(1)

    def bit(self, at: int) -> bool:
        return bool(self.bits >> at & 1)

    def after(self, delay: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (self.now + delay, next(self._number), act))

    def play(self, steps: Sequence[Step]) -> list[Op]:
        start = 0.0
        for step in steps:
            start += GAPS[step[2]]
            self.now = 0.0
            self.after(start, lambda step=step: self.act(step))
        while self._heap:
            self.now, _, act = heapq.heappop(self._heap)
            act()
        return self.ops

    def note(self, user: str, op: str, via: Via, last: float = 0.0, **value: Any) -> Op:
        n = next(self._number)
        start = round(self.now + n * 1e-4, 4)  # no two at the same moment
        entry = Op(n, start, round(start + last, 4), "p0", user, "d1", op, Outcome.OK, via, value)
        self.ops.append(entry)
        return entry

    # ---------------------------------------------------------------- what users do

    def act(self, step: Step) -> None:
        user, name = f"u{step[0]}", ACTS[step[1]]
        mine = self.of(user)
        if name == "vanish":
            self.note(user, "disconnect", Via.SELF, kind="close")
            self.after(0.5, lambda: [self.finish(session) for session in self.of(user)] and None)
            return
        if name == "end":
            mine = [session for session in mine if session.id in self.seen(user)]
            name = "end" if mine else "poll"
        last = LASTS[step[3]]
        value = {"id": mine[0].id} if name == "end" else {}
        entry = self.note(user, name, Via.POLL if name == "poll" else Via.HTTP, last, **value)
        fate, when = FATES[step[5]], last * step[4] / 2
        if fate == "refused":
            entry.outcome = Outcome.FAIL
            return
        if fate != "ok":
            entry.outcome = Outcome.INFO
            entry.t1 = None if fate == "late" else entry.t1
            when = LATE[step[4]] if fate == "late" else when
        if fate != "lost":
            self.after(entry.t0 - self.now + when, lambda: self.effect(entry, user, name))

    def effect(self, entry: Op, user: str, name: str) -> None:
        shown = {"join": self.join, "leave": self.leave, "poll": self.poll, "end": self.end}[name](user, entry)
        if entry.outcome is Outcome.OK:
            entry.value.update(shown)

    def of(self, user: str) -> list[Session]:
        return [session for session in self.sessions if session.active and user in session.members]

    def seen(self, user: str) -> set[str]:
        """The sessions that a user has been shown by now: nobody can name another one."""
        ended = (op for op in self.ops if op.user == user and op.t1 is not None and op.t1 <= self.now)
        return {op.value["session"]["id"] for op in ended if op.value.get("session")}

    def join(self, user: str, _: Op) -> dict[str, Any]:
        if self.fault != "S1":
            for session in self.of(user):
                self.finish(session)
        if user not in self.queue:
            self.queue.append(user)
        self.life[user] = self.now
        if self.bit(0):
            self.after(0.3, self.match)
            return {}
        self.match()
        mine = self.of(user)
        return {"session": self.value(mine[-1])} if mine and self.bit(1) else {}

    def leave(self, user: str, _: Op) -> dict[str, Any]:
        if user in self.queue and self.fault != "S6":
            self.queue.remove(user)
        if self.bit(2):
            for session in self.of(user):
                self.finish(session)
        return {}

    def poll(self, user: str, _: Op) -> dict[str, Any]:
        if user in self.life:
            self.life[user] = self.now
        mine = self.of(user)
        if self.fault == "S8" and not mine:
            mine = [session for session in self.sessions if user in session.members]
        return {"session": self.value(mine[0], user) if mine else None}

    def end(self, user: str, entry: Op) -> dict[str, Any]:
        for session in self.sessions:
            if session.id == entry.value["id"] and user in session.members:
                self.finish(session)
        return {}

    # ---------------------------------------------------------------- what the matcher does

    def value(self, session: Session, user: str = "") -> dict[str, str]:
        one, two = session.members
        if self.fault == "S3" and user == two:
            one = next(name for name in ("u0", "u1", "u2") if name not in session.members)
        return {"id": session.id, "user1": one, "user2": two, "status": "active"}

    def match(self) -> None:
        fresh = [user for user in self.queue if self.fault == "S5" or self.now - self.life[user] <= BUDGETS.queue_ttl]
        if self.fault == "S4" and len(fresh) == 1:
            fresh += [name for name in ("u0", "u1", "u2") if name not in self.queue and not self.of(name)][:1]
        if self.fault == "S2" and len(fresh) == 1 and self.bit(3):
            fresh *= 2
        while len(fresh) >= 2:
            one, two = (fresh.pop(0), fresh.pop()) if self.bit(4) else (fresh.pop(), fresh.pop())
            self.born(one, two)

    def born(self, one: str, two: str) -> None:
        session = Session(f"s{len(self.sessions)}", (one, two))
        self.sessions.append(session)
        for at, user in enumerate(session.members):
            stays = self.fault == "S7" and at == self.bit(5)
            if user in self.queue and not stays:
                self.queue.remove(user)
            for copy in range(self.bit(6 + at) + (self.bit(6 + at) and self.bit(8))):
                self.after(0.1 + 0.2 * copy, lambda user=user: self.push(user, session))

    def push(self, user: str, session: Session) -> None:
        self.note(user, "push", Via.WS, session=self.value(session, user), event="INSERT")

    def finish(self, session: Session) -> None:
        if not session.active:
            return
        session.active = False
        for at, user in enumerate(session.members):
            if self.bit(9 + at):
                self.after(0.1, lambda user=user: self.note(user, "told", Via.WS, id=session.id, by="update") and None)


def play(script: tuple[Sequence[Step], int, str]) -> list[Op]:
    """The history of a script."""
    steps, bits, fault = script
    return Toy(bits, fault).play(steps)
