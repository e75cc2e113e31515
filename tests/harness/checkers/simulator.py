"""A simulated matcher and its users, for tests: legal executions, and executions with one known fault.

The simulation knows the true instants; the history holds only what users did and saw, with delays, lost replies, calls
that take effect late, sockets that break, tabs that close and devices that act at once.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from harness.history.op import Op, Outcome, Via
from harness.target import Budgets

BUDGETS = Budgets(queue_ttl=6, match=1, notify=1, disconnect=3, tolerance=0.5, poll_interval=3)
NEARLY = 0.95
"""A legal target uses at most so much of a budget."""
Script = Generator[float, None, None]

LIVELY = ("join", "join", "join", "poll", "poll", "leave", "end", "vanish", "break", "session", "wait")
"""What users do who do everything; `once` instead of `join` is a join by those who have not joined yet."""


@dataclass
class Entry:
    user: str
    life: float
    expires: float


@dataclass
class Session:
    id: str
    members: tuple[str, str]
    active: bool = True
    shown: list[tuple[str, str]] = field(default_factory=list)

    def value(self) -> dict[str, str]:
        one, two = self.shown.pop() if self.shown else self.members
        return {"id": self.id, "user1": one, "user2": two, "status": "active" if self.active else "ended"}


@dataclass
class Link:
    """One device's socket: `up` as the device believes, `open` as the target believes."""

    user: str
    device: str
    up: bool = True
    open: bool = True
    topics: set[str] = field(default_factory=set)


class World:
    """A target with its users. Everything happens at true instants of simulated time, in seconds."""

    def __init__(self, rng: random.Random, fault: str, grid: bool, acts: Sequence[str], honest: bool) -> None:
        self.rng = rng
        self.fault = fault
        self.grid = grid
        self.acts = acts
        self.honest = honest  # every call is answered
        self.now = 0.0
        self.ops: list[Op] = []
        self.queue: dict[str, Entry] = {}
        self.sessions: list[Session] = []
        self.links: list[Link] = []
        self.at_once = rng.random() < 0.5  # whether a join that finds a partner is matched before it is answered
        self.renews = rng.random() < 0.5  # whether a second join keeps its place
        self.leave_ends = rng.random() < 0.3  # whether a leave ends the session too
        self.other = random.Random()  # its draws leave the others as they are without it
        self.other.setstate(rng.getstate())
        self.misses = self.other.random() < 0.5  # whether a session ends whose member has no socket and shows no life
        self.shown: dict[str, float] = {}  # when each user last showed life
        self.closing = 1e9
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count(1)

    # ---------------------------------------------------------------- time

    def some(self, most: float, least: float = 0.0) -> float:
        """A random time span; on a grid, where ties are frequent."""
        span = self.rng.uniform(least, most)
        return round(span / 0.05) * 0.05 if self.grid else span

    def after(self, delay: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (round(self.now + delay, 9), next(self._numbers), act))

    def run(self, until: float) -> None:
        while self._heap and self._heap[0][0] <= until:
            self.now, _, act = heapq.heappop(self._heap)
            act()

    def spawn(self, script: Script) -> None:
        def step() -> None:
            delay = next(script, None)
            if delay is not None:
                self.after(delay, step)

        step()

    # ---------------------------------------------------------------- what users do

    def note(self, user: str, device: str, op: str, via: Via, **value: Any) -> Op:
        """Records an op that begins and, for now, ends at this moment."""
        entry = Op(next(self._numbers), self.now, self.now, "p0", user, device, op, Outcome.OK, via, value)
        self.ops.append(entry)
        return entry

    def call(
        self, user: str, device: str, op: str, act: Callable[[], dict[str, Any]], via: Via = Via.HTTP, **value: Any
    ) -> Script:
        """A call, to be run by `yield from`: it takes effect somewhere between its ends, or who knows when."""
        entry = self.note(user, device, op, via, **value)
        latency, luck = self.some(0.3), 1.0 if self.honest else self.rng.random()
        if luck < 0.06:
            entry.outcome = Outcome.INFO
            if self.rng.random() < 0.6:
                self.after(self.some(2.5), act)
            if self.rng.random() < 0.2:
                entry.t1 = None
            else:
                entry.t1 = self.now + latency
            yield latency
            return
        if luck < 0.09:
            entry.outcome = Outcome.FAIL
        else:
            self.after(
                self.rng.choice([0.0, latency, min(latency, self.some(latency))]), lambda: entry.value.update(act())
            )
        entry.t1 = round(self.now + latency, 9)
        yield latency

    def session_of(self, user: str) -> Session | None:
        return next((s for s in self.sessions if s.active and user in s.members), None)

    def alive(self, user: str) -> None:
        self.shown[user] = self.now
        entry = self.queue.get(user)
        if entry is not None:
            self.enter(user)

    def enter(self, user: str) -> None:
        slack = self.rng.uniform(-1, 1) * NEARLY * BUDGETS.tolerance
        extra = 60.0 if self.fault == "MM-S5" else 0.0
        entry = Entry(user, self.now, self.now + BUDGETS.queue_ttl + slack + extra)
        self.queue[user] = entry
        self.after(entry.expires - self.now, lambda: self.expire(entry))

    def expire(self, entry: Entry) -> None:
        if self.queue.get(entry.user) is entry:
            del self.queue[entry.user]

    def join(self, user: str) -> dict[str, Any]:
        for session in [s for s in self.sessions if s.active and user in s.members]:
            self.end(session)
        if not (self.renews and user in self.queue):
            self.queue.pop(user, None)
            self.enter(user)
        self.alive(user)
        if self.at_once:
            self.match()
        self.after(self.some(BUDGETS.match * 0.9), self.match)
        found = self.session_of(user)
        return {"session": found.value()} if found and self.at_once else {}

    def leave(self, user: str) -> dict[str, Any]:
        if not (self.fault == "MM-S6" and self.rng.random() < 0.8):
            self.queue.pop(user, None)
        found = self.session_of(user)
        if self.leave_ends and found:
            self.end(found)
        return {}

    def poll(self, user: str) -> dict[str, Any]:
        self.alive(user)
        found = self.session_of(user)
        hides = self.fault == "MM-L1" and self.rng.random() < 0.7
        return {"session": None if found is None or hides else found.value()}

    def finish(self, session: Session) -> dict[str, Any]:
        if session.active:
            self.end(session)
        return {}

    # ---------------------------------------------------------------- what the target does

    def match(self) -> None:
        waiting = list(self.queue)
        self.rng.shuffle(waiting)
        if self.fault == "MM-L2" and self.rng.random() < 0.8:
            return
        if self.fault == "MM-L3" and self.now > 5:
            return
        if self.fault == "MM-S2" and len(waiting) == 1 and self.rng.random() < 0.5:
            self.born(waiting[0], waiting[0])
            return
        if self.fault == "MM-S4" and waiting and self.rng.random() < 0.3:
            idle = [link.user for link in self.links if link.user not in self.queue and not self.session_of(link.user)]
            if idle and idle[0] != waiting[0]:
                self.born(waiting[0], idle[0])
                return
        while len(waiting) >= 2:
            one, two = waiting.pop(), waiting.pop()
            self.born(one, two)

    def born(self, one: str, two: str) -> None:
        session = Session(f"s{len(self.sessions)}", (one, two))
        if self.fault == "MM-S3" and self.rng.random() < 0.5:
            session.shown = [(one, "u0" if "u0" not in {one, two} else "u1")]
        self.sessions.append(session)
        for user in session.members:
            forgets = self.fault in {"MM-S1", "MM-S7"} and self.rng.random() < 0.5
            if not forgets:
                self.queue.pop(user, None)
            elif self.fault == "MM-S7":
                self.after(self.some(2.0, 0.5), lambda: self.end(session))
            self.push(user, f"matches:{user}", lambda: {"session": session.value(), "event": "INSERT"}, "push")
            if self.misses:
                self.miss(session, user)
        if self.fault in {"MM-S1", "MM-S7"}:
            self.after(self.some(0.5), self.match)

    def miss(self, session: Session, user: str) -> None:
        """Ends the session of somebody without a socket when he is silent for the TTL, or a little longer or less."""
        if not session.active:
            return
        left = self.shown.get(user, 0.0) + BUDGETS.queue_ttl + self.other.uniform(-1, 1) * NEARLY * BUDGETS.tolerance
        wait = left - self.now
        if wait <= 0 and any(link.open for link in self.links if link.user == user):
            wait = BUDGETS.queue_ttl
        if wait > 0:
            self.after(wait, lambda: self.miss(session, user))
        else:
            self.end(session)

    def end(self, session: Session) -> None:
        if not session.active:
            return
        session.active = False
        for user in session.members:
            self.push(user, f"session:{session.id}", lambda: {"id": session.id, "by": "update"}, "told")

    def push(self, user: str, topic: str, value: Callable[[], dict[str, Any]], op: str) -> None:
        """Pushes to each device that is subscribed now, and still is when it arrives."""
        if op == "push" and self.fault == "MM-L1" and self.rng.random() < 0.7:
            return
        for link in [link for link in self.links if link.user == user and link.open and topic in link.topics]:
            self.after(self.some(0.9 * BUDGETS.notify), lambda link=link: self.deliver(link, topic, value, op))

    def deliver(self, link: Link, topic: str, value: Callable[[], dict[str, Any]], op: str) -> None:
        if link.up and link.open and topic in link.topics:
            shown = value()
            if op == "push":
                shown["session"]["status"] = "active"
            self.note(link.user, link.device, op, Via.WS, **shown)

    def shut(self, link: Link) -> None:
        """The target sees a socket close; a user without any is gone after a while."""
        link.open = False

        def gone() -> None:
            if not any(other.open for other in self.links if other.user == link.user):
                if self.fault != "MM-S5":
                    self.queue.pop(link.user, None)
                found = self.session_of(link.user)
                if found and self.fault != "MM-L5":
                    self.end(found)

        self.after(self.some(1.0), gone)


# -------------------------------------------------------------------- users


def user_script(world: World, user: str, device: str, acts: int, arrives: float) -> Script:
    """One device of one user: it does this and that."""
    rng = world.rng
    yield world.some(arrives)
    link = connect(world, user, device) if rng.random() < 0.8 else None
    if link is not None and rng.random() < 0.8:
        yield from subscribe(world, link, f"matches:{user}", f"matchmaking:{user}")
    chosen = [rng.choice(world.acts) for _ in range(acts)]
    once = chosen.index("once") if "once" in chosen else -1
    for number, act in enumerate(chosen):
        if world.now >= world.closing:
            break
        if act == "go":
            if link is not None:
                next(vanish(world, link))
            return
        if act in {"vanish", "break", "session"}:
            if link is not None and link.up:
                link = yield from with_socket(world, link, act)
        elif act != "once" or number == once:
            yield from over_http(world, user, device, act)
        yield world.some(rng.choice([0.2, 1.0, 4.0]))
    yield from last_look(world, user, device)


def over_http(world: World, user: str, device: str, act: str) -> Script:
    """A call, and for some joins the polls after it."""
    found = world.session_of(user)
    if act in {"join", "once"}:
        yield from world.call(user, device, "join", lambda: world.join(user))
        if world.rng.random() < 0.6:
            yield from await_match(world, user, device)
    elif act == "poll":
        yield from world.call(user, device, "poll", lambda: world.poll(user), Via.POLL)
    elif act == "leave":
        yield from world.call(user, device, "leave", lambda: world.leave(user))
    elif act == "end" and found:
        yield from world.call(user, device, "end", lambda: world.finish(found), id=found.id)


def with_socket(world: World, link: Link, act: str) -> Generator[float, None, Link | None]:
    """What a connected user does with his socket; returns the one that he has afterwards."""
    found = world.session_of(link.user)
    if act == "vanish":
        return (yield from vanish(world, link))
    if act == "break":
        yield from lose(world, link)
    elif found:
        yield from subscribe(world, link, f"session:{found.id}", f"session:{found.id}")
    return link


def await_match(world: World, user: str, device: str) -> Script:
    """Polls in vain a few times, as the document's client does."""
    for _ in range(world.rng.randint(1, 4)):
        yield world.some(2.0, 1.0)
        yield from world.call(user, device, "poll", lambda: world.poll(user), Via.POLL)
        if world.ops and world.session_of(user):
            return


def last_look(world: World, user: str, device: str) -> Script:
    """Waits for the end of the drain, showing life, and polls once more."""
    while world.now < world.closing + BUDGETS.match + 1:
        yield world.some(1.5, 0.5)
        yield from world.call(user, device, "poll", lambda: world.poll(user), Via.POLL)


def connect(world: World, user: str, device: str) -> Link:
    link = Link(user, device)
    world.links.append(link)
    return link


def subscribe(world: World, link: Link, topic: str, name: str) -> Script:
    """Asks, and is told when the subscription stands; the target serves it a little earlier, never later."""
    entry = world.note(link.user, link.device, "subscribe", Via.WS, topic=name, reply=0.0)
    delay = world.some(0.5)
    world.after(delay, lambda: link.topics.add(topic))
    ready = delay + world.some(0.1)
    yield ready
    world.alive(link.user)
    entry.t1 = world.now
    if link.up and link.open:
        entry.value["ready"] = ready
    else:
        entry.outcome = Outcome.INFO


def vanish(world: World, link: Link) -> Generator[float, None, Link | None]:
    """Closes the tab or falls silent; and comes back, perhaps."""
    silent = world.rng.random() < 0.5
    world.note(link.user, link.device, "disconnect", Via.SELF, kind="silent" if silent else "close")
    link.up = False
    world.after(world.some(1.0) if silent else 0.0, lambda: world.shut(link))
    yield world.some(8.0)
    if world.rng.random() < 0.5:
        return None
    fresh = connect(world, link.user, link.device)
    world.note(link.user, link.device, "back", Via.WS)
    return fresh


def lose(world: World, link: Link) -> Script:
    """The socket breaks: the target sees it at once, the user a little later; then it is opened again."""
    world.shut(link)
    yield world.some(NEARLY * BUDGETS.tolerance)
    world.note(link.user, link.device, "lost", Via.WS, reason="socket closed: 1006")
    yield world.some(1.5)
    link.topics.clear()
    link.open = True
    world.note(link.user, link.device, "back", Via.WS)
    yield from subscribe(world, link, f"matches:{link.user}", f"matchmaking:{link.user}")


def simulate(
    seed: int, users: int, acts: int, *, fault: str = "", grid: bool = False, does: Sequence[str] = LIVELY,
    devices: int = 2, honest: bool = False, arrives: float = 3.0,
) -> list[Op]:  # fmt: skip
    """The history of one run, with a drain at its end.

    Args:
        users: how many; each does `acts` things of those in `does`.
        fault: the requirement that the target breaks; none for a right target.
        grid: times lie on a grid, so that ties are frequent.
        arrives: users arrive within so many seconds.
        honest: every call is answered, and nothing takes effect late.
    """
    world = World(random.Random(seed), fault, grid, does, honest)
    for number in range(users):
        world.spawn(user_script(world, f"u{number}", "d1", acts, arrives))
        if devices > 1 and world.rng.random() < 0.25:
            world.spawn(user_script(world, f"u{number}", "d2", acts // 2, arrives))
    closing = max(10.0, arrives + 1.0)
    world.run(closing)
    world.closing = world.now = closing
    drain = Op(0, closing + 2.0, None, "p0", "", "", "drain", Outcome.OK, Via.SELF)
    world.run(closing + 50.0)
    drain.t1 = max(closing + 8.0, world.now)
    world.ops.append(drain)
    return world.ops
