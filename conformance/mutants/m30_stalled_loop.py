"""M30: the matcher's loop waits for something that never comes, and the health check asks another one."""

from __future__ import annotations

import asyncio
from uuid import UUID

from conformance.mutants._stepwise import StepwiseEngine, step_by_step
from reference_server.db import Database
from reference_server.matchmaking.engine import Match
from reference_server.mutation import Mutation
from reference_server.settings import Settings

MUTANT = {
    "id": "M30",
    "title": "the matcher loop stalls while health checks stay green",
    "why": "A loop that awaits without a deadline. It stalls after its eighth search here.",
    "names": ["MM-L2"],
}


SEARCHES = 8


class Stalling(StepwiseEngine):
    """One loop searches for all."""

    def __init__(self, settings: Settings, database: Database) -> None:
        super().__init__(settings, database)
        self._entered: asyncio.Queue[UUID] = asyncio.Queue()

    async def start(self) -> None:
        await super().start()
        self._behind.add(asyncio.create_task(self._search()))

    async def join(self, user: UUID, mode: str) -> Match | None:
        await self.enter(user, mode)
        self._entered.put_nowait(user)
        return None

    async def _search(self) -> None:
        for _ in range(SEARCHES):
            await self.pick(await self._entered.get())
        await asyncio.Event().wait()


def mutate(server: Mutation) -> None:
    """Joins are stored, and answered, and that is all."""
    step_by_step(server, engine=Stalling)
