"""M17: who gives up waiting for the lock releases it all the same, and so takes it from its holder."""

from __future__ import annotations

import asyncio
from uuid import UUID

from conformance.mutants._stepwise import allow_two_sessions, step_by_step
from conformance.mutants._two_statements import TwoStatements
from reference_server.db import Database
from reference_server.matchmaking.engine import Match
from reference_server.mutation import Mutation
from reference_server.settings import Settings

MUTANT = {
    "id": "M17",
    "title": "a lock is released by someone who does not hold it",
    "why": "A lock in a cache that is deleted without looking at its token. Patience: 10 ms, then another try.",
    "names": ["MM-S1"],
    "racing": True,
}


PATIENCE = 0.01
"""Seconds that a search waits for the lock before it tries anew."""


class CarelessLock(TwoStatements):
    """The two statements behind one lock of the process."""

    def __init__(self, settings: Settings, database: Database) -> None:
        super().__init__(settings, database)
        self._lock = asyncio.Lock()

    async def pick(self, user: UUID) -> Match | None:
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._lock.acquire()
                return await super().pick(user)
            except TimeoutError:
                continue
            finally:
                if self._lock.locked():
                    self._lock.release()


def mutate(server: Mutation) -> None:
    """Acquired or not, the lock is released."""
    allow_two_sessions(server)
    step_by_step(server, engine=CarelessLock)
