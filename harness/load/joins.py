"""The scenario `joins`: users who join and do nothing else, by thousands a second, on one loop and without Locust.

They have no sockets and do not poll while others come, so that the load is that of joining and matching alone. When the
quiet time is over each of them looks once for what became of him: that is what the checkers judge by.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from harness.client.dialect import NotAdmitted
from harness.client.participant import Participant, Transport, probe
from harness.errors import Trouble
from harness.history.journal import Journal
from harness.history.op import Via
from harness.history.recorder import Recorder
from harness.load.arrivals import Arrival, Schedule
from harness.load.telling import Tally
from harness.load.watch import LoopWatch
from harness.target import Target

SCENARIO = "joins"
ARRIVALS = "constant"
MODE = "global"
"""The match mode of the joins."""
_DOORS = 32
"""Users who sign up, or look, at the same moment."""
_HEAD_START = 0.3
"""Seconds between the last sign-up and the first due time."""
_TELL_EVERY = 0.25


async def run_joins(
    due: Schedule,
    target: Target,
    history: Path,
    *,
    seed: int = 0,
    drain: float = 0.0,
    leave: bool = True,
    told: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Lets users join when they are due, and writes the history.

    Args:
        due: an open schedule.
        target: the deployment.
        history: the file.
        seed: is written into the ops.
        drain: seconds of quiet after the last join was answered; at least as long as the target may take to match.
        leave: whether users who still wait leave at the end. A deployment that is thrown away does not mind them.
        told: hears how far it is.

    Raises:
        Trouble: the target is out of reach or lets nobody in, or the schedule is of a closed model.
    """
    if due.closed is not None:
        raise Trouble(f"{SCENARIO} has no closed model", "use --arrivals")
    with Journal(history) as journal:
        recorder = Recorder(journal, process=f"{target.name}.swarm.0", seed=seed)
        try:
            async with Transport(target, lean=True) as transport:
                await probe(transport)
                joiners = Joiners(transport, recorder, due)
                async with _telling(joiners.tally, told):
                    await joiners.play(max(drain, target.budgets.match + target.budgets.tolerance), leave=leave)
                return joiners.tally
        finally:
            recorder.close()


class Joiners:
    """The users of one run. `play` brings them in, lets them join, and lets them look.

    Args:
        transport: an entered one, lean.
        recorder: takes the ops.
        due: who comes when.
    """

    def __init__(self, transport: Transport, recorder: Recorder, due: Schedule) -> None:
        self._transport = transport
        self._recorder = recorder
        self._due = due
        self._users: list[Participant] = []
        self._watch = LoopWatch()
        self.tally = Tally(len(due.arrivals))

    async def play(self, drain: float, *, leave: bool) -> None:
        """The whole run; see `run_joins`."""
        await _by_turns(self._enter for _ in self._due.arrivals)
        watching = asyncio.create_task(self._watch.run())
        try:
            await self._arrive(self._recorder.now() + _HEAD_START)
        finally:
            self._watch.all_in()
            watching.cancel()
            self._note()
        quiet = self._recorder.begin("", "", "drain", Via.SELF)
        await asyncio.sleep(drain)
        await _by_turns(self._looking(user, leave=leave) for user in self._users)
        quiet.ok()

    async def _enter(self) -> None:
        try:
            self._users.append(await Participant.enter(self._transport, self._recorder, hears="poll"))
        except NotAdmitted as refusal:
            raise Trouble(f"a user could not enter ({refusal})", "see the target's log") from refusal

    async def _arrive(self, start: float) -> None:
        arrivals: Sequence[Arrival] = self._due.arrivals
        async with asyncio.TaskGroup() as group:
            for arrival, user in zip(arrivals, self._users, strict=True):
                due = start + arrival.due
                await asyncio.sleep(max(0.0, due - self._recorder.now()))
                group.create_task(self._join(user, due))

    async def _join(self, user: Participant, due: float) -> None:
        self.tally.latest = max(self.tally.latest, self._recorder.now() - due)
        reply = await user.join(MODE, due=due)
        self.tally.started += 1
        self.tally.matched += reply.session is not None

    def _looking(self, user: Participant, *, leave: bool) -> Callable[[], Awaitable[None]]:
        async def look() -> None:
            if await user.poll() is None and leave:
                await user.leave()
            self.tally.finished += 1

        return look

    def _note(self) -> None:
        """What a load generator notes of itself; `looks` says that polls tell of matches that are long made."""
        tally = self.tally
        self._recorder.saw(
            "", "", "generator", Via.SELF, arrivals=self._due.text, closed=False, looks="afterwards",
            offered=tally.offered, started=tally.started, dropped=tally.offered - tally.started,
            latest_ms=tally.latest * 1000, **self._watch.figures(),
        )  # fmt: skip


async def _by_turns(work: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Does some of it at a time, until all is done."""
    todo = iter(work)

    async def worker() -> None:
        for one in todo:
            await one()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_DOORS):
                group.create_task(worker())
    except* Trouble as group_of:
        raise _first(group_of) from None


def _first(group: BaseExceptionGroup[Trouble]) -> BaseException:
    """The first trouble of those that came together."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


@asynccontextmanager
async def _telling(tally: Tally, told: Callable[[Tally], None]) -> AsyncIterator[None]:
    """Tells how far it is, now and then, while the block lasts."""

    async def tell() -> None:
        while True:
            told(tally)
            await asyncio.sleep(_TELL_EVERY)

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        told(tally)
