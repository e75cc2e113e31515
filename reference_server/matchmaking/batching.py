"""Group commit for joins: while one batch is with the database, the next gathers; a lone join waits for nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from reference_server.matchmaking.engine import Match, NotQueued

log = logging.getLogger(__name__)

BATCH_LIMIT = 500
"""Joins in one batch at most; what is over goes with the next."""


@dataclass(slots=True, eq=False)
class PendingJoin:
    """A join that waits for its batch. Joins of one user that gather together are one (`mode` is the last one's).

    `times` is how many they are. Where `refusal` is set, only the first `admitted` of them get the answer.
    """

    user: UUID
    mode: str
    earlier: PendingJoin | None = None
    """The same user's join that was with the database when this one came."""
    answer: asyncio.Future[Match | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    times: int = 0
    admitted: int = 0
    refusal: Exception | None = None

    @property
    def keep(self) -> UUID | None:
        """The session that the earlier join brought while this one waited: an answer to both, not one to be ended."""
        if self.earlier is None or self.earlier.answer.exception() is not None:
            return None
        match = self.earlier.answer.result()
        return match.session_id if match else None


class JoinBatches:
    """Hands joins to `run_batch` in batches, one batch at a time, and calls `sweep` every `sweep_interval` seconds.

    `run_batch` answers every join it is given, by its future; a join that it leaves unanswered, or all of them when it
    raises, fail here. An error of `sweep` is logged, and the next sweep comes in its time.
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
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the task that runs the batches."""
        self._task = asyncio.create_task(self._loop(), name="join batches")

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
        join.times += 1
        place = join.times
        self._wake.set()
        match = await asyncio.shield(join.answer)
        if join.refusal is not None and place > join.admitted:
            raise join.refusal
        return match

    async def settled(self, user: UUID) -> None:
        """Waits until the joins of this user that have come so far are answered."""
        join = self._gathering.get(user) or self._in_flight.get(user)
        if join is not None:
            await asyncio.wait({join.answer})

    async def _loop(self) -> None:
        loop = asyncio.get_running_loop()
        next_sweep = loop.time() + self._sweep_interval
        while self._gathering or not self._stopping:
            await self._woken_before(next_sweep)
            if self._gathering:
                await self._batch()
            if loop.time() >= next_sweep and not self._stopping:
                await self._swept()
                next_sweep = loop.time() + self._sweep_interval

    async def _woken_before(self, deadline: float) -> None:
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
        for join in joins:
            if not join.answer.done():
                join.answer.set_exception(failure)
                join.answer.exception()  # a caller who has gone away never asks; that is no news for the log
            join.earlier = None
        self._in_flight = {}

    def _take(self) -> list[PendingJoin]:
        joins = list(self._gathering.values())[:BATCH_LIMIT]
        for join in joins:
            del self._gathering[join.user]
        self._in_flight = {join.user: join for join in joins}
        if not self._gathering and not self._stopping:
            self._wake.clear()
        return joins

    async def _swept(self) -> None:
        try:
            await self._sweep()
        except Exception as error:  # noqa: BLE001 — the rim: matching goes on whatever befell one sweep
            log.warning("the sweep failed: %s", error)
