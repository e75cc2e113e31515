"""Group commit for joins: while one batch is with the database, the next gathers; a lone join waits for nobody."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from reference_server.matchmaking.engine import Match, NotQueued

log = logging.getLogger(__name__)

BATCH_LIMIT = 500
"""Joins in one batch at most; what is over goes with the next."""
HINDERED_PAUSE, HINDERED_PATIENCE = 0.1, 5.0
"""Seconds until a join that somebody else's write hindered is tried again, and after which it is given up."""
UNDIVIDED = 16
"""Joins that always go together. Of more than these, half go: the others follow while the first are being answered."""


@dataclass(slots=True, eq=False)
class PendingJoin:
    """A join that waits for its batch. Joins of one user that gather together are one (`mode` is the last one's).

    `callers` are those who wait for its answer. Where `refusal` is set, all but the first `admitted` of them get that.
    """

    user: UUID
    mode: str
    earlier: PendingJoin | None = None
    """The same user's join that was with the database when this one came."""
    callers: list[asyncio.Future[Match | None]] = field(default_factory=list)
    match: Match | None = None
    answered: bool = False
    admitted: int = 0
    refusal: Exception | None = None
    hindered: bool = False
    """Set by a batch that could not carry it out because somebody writes what it needs: it goes with a later one."""
    since: float = field(default_factory=time.perf_counter)
    """When the first of them came."""
    _watchers: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def keep(self) -> UUID | None:
        """The session that the earlier join brought while this one waited: an answer to both, not one to be ended."""
        if self.earlier is None or self.earlier.match is None:
            return None
        return self.earlier.match.session_id

    def answer(self, match: Match | None) -> None:
        """Answers the callers: the user is matched, or waits."""
        self.match = match
        for place, caller in enumerate(self.callers):
            if caller.done():  # he has gone away
                continue
            if self.refusal is not None and place >= self.admitted:
                caller.set_exception(self.refusal)
            else:
                caller.set_result(match)
        self._settle()

    def take_over(self, earlier: PendingJoin) -> None:
        """Answers the callers of an earlier join of the same user as well, which has not been carried out."""
        self.callers[:0] = earlier.callers
        self._watchers += earlier._watchers
        self.since = min(self.since, earlier.since)
        self.earlier = earlier.earlier
        self.hindered = True

    def fail(self, error: Exception) -> None:
        """Answers the callers that the join took no effect."""
        for caller in self.callers:
            if not caller.done():
                caller.set_exception(error)
        self._settle()

    async def settled(self) -> None:
        """Waits until the join is answered."""
        if not self.answered:
            watcher = asyncio.get_running_loop().create_future()
            self._watchers.append(watcher)
            await watcher

    def _settle(self) -> None:
        self.answered = True
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)


class JoinBatches:
    """Hands joins to `run_batch` in batches, one batch at a time, and calls `sweep` every `sweep_interval` seconds.

    `run_batch` answers every join it is given or marks it as hindered, which puts it off; a join that it leaves
    unanswered, or all of them when it raises, fail here. An error of `sweep` is logged, and the next comes in its time.
    """

    def __init__(
        self,
        run_batch: Callable[[list[PendingJoin]], Awaitable[None]],
        sweep: Callable[[], Awaitable[None]],
        sweep_interval: float,
    ) -> None:
        self._run_batch = run_batch
        self._sweep = sweep
        self._sweep_interval = sweep_interval
        self._gathering: dict[UUID, PendingJoin] = {}
        self._in_flight: dict[UUID, PendingJoin] = {}
        self._wake = asyncio.Event()
        self._left_over = False
        """Whether the last batch left somebody waiting."""
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the task that runs the batches."""
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="join batches")

    async def stop(self) -> None:
        """Runs what has gathered, then ends the task. May be called twice."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def submit(self, user: UUID, mode: str) -> Match | None:
        """Joins a user with the next batch, and returns what became of it when that batch has committed.

        Raises:
            NotQueued: the engine does not run, or the batch says so.
            Exception: what `run_batch` raised, or the refusal that it left.
        """
        if self._task is None or self._stopping:
            raise NotQueued("the engine does not run")
        join = self._gathering.get(user)
        if join is None:
            join = self._gathering[user] = PendingJoin(user, mode, self._in_flight.get(user))
        join.mode = mode
        caller: asyncio.Future[Match | None] = self._loop.create_future()
        join.callers.append(caller)
        self._wake.set()
        return await caller

    def under_way(self, user: UUID) -> bool:
        """Whether a join of this user waits for the next batch."""
        return user in self._gathering

    async def settled(self, user: UUID) -> None:
        """Waits until the joins of this user that have come so far are answered."""
        join = self._gathering.get(user) or self._in_flight.get(user)
        if join is not None:
            await join.settled()

    async def _run(self) -> None:
        loop = self._loop
        next_sweep = loop.time() + self._sweep_interval
        while self._gathering or not self._stopping:
            await self._woken_before(next_sweep)
            if self._gathering:
                await self._batch()
            elif not self._stopping:
                self._wake.clear()  # for a join that was put off, and has gone with others since
            if loop.time() >= next_sweep and not self._stopping:
                await self._swept()
                next_sweep = loop.time() + self._sweep_interval

    async def _woken_before(self, deadline: float) -> None:
        if self._wake.is_set():
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _batch(self) -> None:
        joins = self._take()
        failure: Exception = NotQueued("the batch has left this join unanswered")
        try:
            await self._run_batch(joins)
        except Exception as error:  # noqa: BLE001 — the rim: whatever it is, it goes to the callers, and the loop goes on
            failure = error
        self._in_flight = {}
        for join in joins:
            if join.hindered and not join.answered and time.perf_counter() - join.since < HINDERED_PATIENCE:
                self._put_off(join)
                continue
            if not join.answered:
                join.fail(failure)
            join.earlier = None
        self._left_over = any(join.match is None for join in joins)

    def _put_off(self, join: PendingJoin) -> None:
        """It gathers again, with the user's next join where there is one, and wakes nobody for a moment."""
        later = self._gathering.get(join.user)
        if later is None:
            self._gathering[join.user] = join
        else:
            later.take_over(join)
        if all(other.hindered for other in self._gathering.values()):
            self._wake.clear()
        self._loop.call_later(HINDERED_PAUSE, self._wake.set)

    def _take(self) -> list[PendingJoin]:
        joins = list(self._gathering.values())[: self._size()]
        for join in joins:
            del self._gathering[join.user]
        self._in_flight = {join.user: join for join in joins}
        if not self._gathering and not self._stopping:
            self._wake.clear()
        return joins

    def _size(self) -> int:
        """How many go together; where there is a choice, such that nobody is left without a partner."""
        size = len(self._gathering)
        if size > UNDIVIDED:
            size = max(UNDIVIDED, (size + 1) // 2)
            size += (size + self._left_over) % 2
        return min(size, BATCH_LIMIT)

    async def _swept(self) -> None:
        try:
            await self._sweep()
        except Exception as error:  # noqa: BLE001 — the rim: matching goes on whatever befell one sweep
            log.warning("the sweep failed: %s", error)
