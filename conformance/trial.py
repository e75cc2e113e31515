"""One requirement's test under way: its users, its history, and its turn in the queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from conformance.outcome import Breach, Inconclusive
from conformance.requirements import Requirement
from conformance.wire.http import Http
from harness.checkers.judge import CHECKERS, judge, judge_groups
from harness.client.dialect import Account, Identity
from harness.client.participant import Participant
from harness.history.journal import Journal
from harness.history.op import Op
from harness.history.recorder import Recorder
from harness.protocol.changes import SessionSeen
from harness.results.finding import CheckResult, Finding, Judgement
from harness.target import Budgets, Target

if TYPE_CHECKING:
    from conformance.stage import Stage

T = TypeVar("T")

CADENCE = 0.2
"""Seconds between two polls of somebody who looks for his match: quick, so that the history says much."""
SETTLE = 0.15
"""Seconds after which a call that the target started behind its reply (an un-awaited `find_match`) has landed."""
ATTEMPTS = 5
CLEARING = 15.0
"""Seconds that taking our users out of the queue may take; a target that hangs must not hold up the run."""


class Trial:
    """What a test works with. Its ops go to its own history, and the checkers judge that history alone."""

    def __init__(self, requirement: Requirement, stage: Stage, journal: Journal | None) -> None:
        self.requirement = requirement
        self.stage = stage
        self.ops: list[Op] = []
        self.people: list[Participant] = []
        self.gone: set[Participant] = set()
        self._recorders: dict[str, Recorder] = {}
        self._journal = journal
        self._grown = asyncio.Event()
        self.asked = asyncio.Event()
        """Set when the test first asks for the queue."""
        self.idle = 0.0
        """Seconds that the test spent waiting for others: for the queue, for a place, for what is made once."""
        self.timer: asyncio.Timeout | None = None
        """Ends a test that takes too long; stands still while it waits for others."""
        self._cleared = 0
        self._vouched = False
        self._holds_place = False
        self.http = Http(self)
        """HTTP requests that stand in this trial's history."""

    def recorder(self, part: str = "") -> Recorder:
        """The recorder of a part of the history. Parts are judged apart: what one leaves behind excuses no other."""
        if part not in self._recorders:
            name = f"{self.requirement.id}-{part}" if part else self.requirement.id
            self._recorders[part] = Recorder(self, process=f"{self.target.name}.{name}.0")
        return self._recorders[part]

    def append(self, op: Op) -> None:
        """Keeps one op (the trial is the sink of its recorder)."""
        self.ops.append(op)
        self._grown.set()
        if self._journal is not None:
            self._journal.append(op)

    async def happened(self, condition: Callable[[Op], bool], patience: float) -> bool:
        """Whether the history has an op that meets the condition, or gets one within so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not any(map(condition, self.ops)):
                    self._grown.clear()
                    await self._grown.wait()
        return any(map(condition, self.ops))

    @property
    def target(self) -> Target:
        """What is under test."""
        return self.stage.target

    @property
    def budgets(self) -> Budgets:
        """The target's time allowances, in seconds."""
        return self.stage.target.budgets

    @property
    def patience(self) -> float:
        """Seconds after which a match between two waiting users is certainly overdue."""
        return self.budgets.match + self.budgets.tolerance

    # ------------------------------------------------------------ users
    async def enter(self, device: str = "d1", identity: Identity | None = None, part: str = "") -> Participant:
        """Signs one user in (a new one without `identity`); he stays until the trial ends."""
        recorder = self.recorder(part)
        async with self.stage.door:
            participant = await Participant.enter(self.stage.transport, recorder, device=device, identity=identity)
        self.people.append(participant)
        return participant

    async def crowd(self, size: int, part: str = "") -> list[Participant]:
        """Signs so many new users in."""
        return list(await asyncio.gather(*(self.enter(part=part) for _ in range(size))))

    async def listen(self, person: Participant) -> None:
        """The user opens his socket and asks to be told of new sessions; nothing where the target offers no push."""
        if self.target.capabilities.push:
            await person.connect()
            await person.subscribe_matches()

    async def vanish(self, participant: Participant, kind: Literal["close", "silent"]) -> None:
        """The user goes without a word: his socket is closed (`close`), or stays open and dead (`silent`)."""
        self.gone.add(participant)
        await participant.vanish(kind)

    async def back(self, participant: Participant) -> None:
        """A user who vanished opens his socket again."""
        await participant.connect()
        self.gone.discard(participant)

    async def shared(self, name: str) -> Account:
        """A user whom several tests share, by a name of their choice; signed in once for the whole run.

        For what leaves no trace on him: reading, being refused. Whoever signs out, joins or is deleted needs `enter`.
        """
        account = await self.stage.people.get(name)
        await self.stage.transport.dialect.refresh(account)
        return account

    async def once(self, name: str, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What several tests need and what is made once for the whole run, by the first that asks."""
        async with self.waiting():
            with self.excused():
                return await self.stage.once(name, make)

    @contextmanager
    def excused(self) -> Iterator[None]:
        """While the test waits for others, its time stands still."""
        asked, timer = time.monotonic(), self.timer
        end = timer.when() if timer is not None else None
        if timer is None or end is None:  # nobody counts, or an outer block is waiting already
            yield
            return
        timer.reschedule(None)
        try:
            yield
        finally:
            waited = time.monotonic() - asked
            self.idle += waited
            if self.timer is timer:
                timer.reschedule(end + waited)

    # ------------------------------------------------------------ the wire
    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the few places at the wire, so that the tests of the wire do not disturb those that measure time."""
        with self.excused():
            await self.stage.wire.acquire()
        self._holds_place = True
        try:
            yield
        finally:
            self._holds_place = False
            self.stage.wire.release()

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Gives the place at the wire to another test for as long as this one only waits, or holds the queue."""
        if not self._holds_place:
            yield
            return
        self._holds_place = False
        self.stage.wire.release()
        try:
            yield
        finally:
            with self.excused():
                await self.stage.wire.acquire()
            self._holds_place = True

    # ------------------------------------------------------------ the queue
    @asynccontextmanager
    async def queue(self, *, keep_sessions: bool = False) -> AsyncIterator[None]:
        """The queue to ourselves: no other test's users are in it until the block ends, and then ours are out of it.

        With `keep_sessions` the block must leave all our users in sessions, and these go on after it.
        """
        self.asked.set()
        async with self.waiting():
            with self.excused():
                await self.stage.queue.acquire()
            try:
                try:
                    yield
                except BaseException:
                    await self.clear()
                    raise
                await self.stage.audit(self._joined())
                if not keep_sessions:
                    await self.clear()
            finally:
                self.stage.queue.release()

    async def clear(self) -> None:
        """Takes whoever joined out of the queue and his sessions, twice: what was under way may put him back."""
        joined = self._joined()
        here = [person for person in self.people if person.user in joined and person not in self.gone]
        with suppress(TimeoutError):
            async with asyncio.timeout(CLEARING):
                await self.retire(here)
                await asyncio.sleep(SETTLE if here else 0)
                await self.retire(here)
        self._cleared = len(self.ops)

    def _joined(self) -> set[str]:
        """Who joined since everybody was last taken out of the queue."""
        return {op.user for op in self.ops[self._cleared :] if op.op == "join"}

    async def grow_old(self, person: Participant) -> bool:
        """Lets the entry of somebody who is gone outlive its time: in the rows (True), else by waiting (False)."""
        age = self.budgets.queue_ttl + 2 * self.budgets.tolerance
        if self.stage.rows is not None:
            await asyncio.sleep(SETTLE)
            return await self.stage.rows.age(person.user, age)
        await asyncio.sleep(age)
        return False

    async def retire(self, people: Iterable[Participant]) -> None:
        """Takes these users out of the queue and out of their sessions, once."""
        await asyncio.gather(*(_retire(person) for person in people))

    async def observe(self, people: Iterable[Participant], patience: float) -> dict[str, SessionSeen]:
        """Lets everybody poll until he sees a session or `patience` seconds are over; what each user saw."""
        deadline = asyncio.get_running_loop().time() + patience
        people = list(people)
        seen = await asyncio.gather(*(_look(person, deadline) for person in people))
        return {person.user: session for person, session in zip(people, seen, strict=True) if session is not None}

    async def pair(self, first: Participant, second: Participant) -> SessionSeen:
        """Brings two users together: the first waits, then the second joins. Tried again where the target loses them.

        Raises:
            Inconclusive: they never met.
        """
        for _ in range(ATTEMPTS):
            came = await first.join()
            await self.observe([first], SETTLE)
            refused = next((reply for reply in (came, await second.join()) if not reply.ok), None)
            seen = await self.observe([first, second], self.patience if refused is None else 0.0)
            mine, his = seen.get(first.user), seen.get(second.user)
            if mine is not None and his is not None and mine.id == his.id:
                return mine
            await self.retire([first, second])
        if refused is not None:
            raise Inconclusive(f"joins are not accepted (the last was answered {refused.status or 'not at all'})")
        raise Inconclusive(f"two users who joined one after the other were not brought together in {ATTEMPTS} attempts")

    # ------------------------------------------------------------ judgement
    def check(self, requirement: str = "") -> CheckResult:
        """What the checker of a requirement (the trial's own by default) says of the history so far."""
        wanted = requirement or self.requirement.id
        return next(result for result in self.judgement().results if result.requirement == wanted)

    def judgement(self) -> Judgement:
        """What all checkers say of the history so far."""
        fresh = self.target.identities.mode != "fixed"
        groups = judge_groups(self.ops, self.budgets, self.target.capabilities, fresh_users=fresh)
        return groups.get(self.target.name) or judge([], self.budgets)

    def finding(self) -> Finding | None:
        """The first breach of the trial's own requirement that the history shows so far, if any."""
        if self.requirement.id not in CHECKERS:
            return None
        return next(iter(self.check().findings), None)

    def vouch(self) -> None:
        """The test saw with its own eyes that the requirement is met: a checker need not have found a case."""
        self._vouched = True

    def conclude(self) -> None:
        """Judges the history.

        Raises:
            Breach: the requirement's checker found one.
            Inconclusive: there was nothing to check.
        """
        if self.requirement.id not in CHECKERS:
            if not self._vouched:
                raise Inconclusive("the test met nothing that this requirement speaks of")
            return
        result = self.check()
        if result.findings:
            raise Breach(result.findings[0])
        if not result.checked and not self._vouched:
            raise Inconclusive(result.detail or "the history holds nothing that this requirement speaks of")

    async def close(self) -> None:
        """Takes everybody out of the queue and his sessions, closes all sockets, and writes what never came back."""
        await self.clear()
        await asyncio.gather(*(person.close() for person in self.people))
        for recorder in self._recorders.values():
            recorder.close()
        if self._journal is not None:
            self._journal.close()


async def _look(person: Participant, deadline: float) -> SessionSeen | None:
    clock = asyncio.get_running_loop().time
    while True:
        seen = await person.poll()
        left = deadline - clock()
        if seen is not None or left <= 0:
            return seen
        await asyncio.sleep(min(CADENCE, left))


async def _retire(person: Participant) -> None:
    await person.leave()
    for _ in range(ATTEMPTS):
        session = await person.poll()
        if session is None:
            return
        await person.end(session.id)


async def together(*calls: Callable[[], Awaitable[object]]) -> None:
    """Starts calls at the same moment and waits for all of them."""
    await asyncio.gather(*(call() for call in calls))
