"""L07: joins are only stored; one process, the leader, pairs all who wait, ten times a second."""

from __future__ import annotations

import asyncio
from uuid import UUID

from conformance.mutants._stepwise import SQL, StepwiseEngine
from reference_server.jobs.schedule import Job
from reference_server.matchmaking.engine import Match
from reference_server.mutation import Mutation

MUTANT = {
    "id": "L07",
    "title": "a leader process instead of a lock",
    "why": "Where one alone matches, nothing has to be locked; the reply to a join never tells a match.",
    "legal": True,
}


BEAT = 0.1
"""Seconds between two passes."""


class Leader(StepwiseEngine):
    """The one who pairs."""

    def jobs(self) -> tuple[Job, ...]:
        return tuple(job for job in super().jobs() if job.name != "sweep")

    async def start(self) -> None:
        await super().start()
        self._behind.add(asyncio.create_task(self._lead()))

    async def join(self, user: UUID, mode: str) -> Match | None:
        await self.enter(user, mode)
        return None

    async def _write_signs(self) -> None:
        """The leader's passes take the signs of life along."""

    async def _lead(self) -> None:
        while True:
            self._signs.settle(asyncio.get_running_loop().time())
            await self._match([])
            await self._execute("select gurukul.end_old_sessions()")
            await asyncio.sleep(BEAT)


def mutate(server: Mutation) -> None:
    """The lock is gone."""
    server.sql("perform pg_catalog.pg_advisory_xact_lock(x'677572756b756c'::bigint);", "null;")
    server.add_sql(SQL)
    server.replace_engine(Leader)
