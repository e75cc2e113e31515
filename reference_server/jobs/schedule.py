"""Runs jobs at their intervals: on several instances that share a database each runs on one of them at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from reference_server.db import Database, DatabaseError, Unavailable

log = logging.getLogger(__name__)

_CLAIM = "select gurukul.claim_job($1, $2)"
SLACK = 0.9
"""Part of the interval after which a job is due: instances whose clocks tick apart must not skip a turn."""


@dataclass(frozen=True, slots=True)
class Job:
    """A statement to be run every `every` seconds, in one transaction, by one instance. Its name is known to all."""

    name: str
    every: float
    statement: str
    arguments: tuple[object, ...] = ()


class Schedule:
    """Runs jobs between `start` and `stop`. One that fails is logged, and comes again in its time."""

    def __init__(self, database: Database, jobs: Iterable[Job]) -> None:
        self._database = database
        self._jobs = tuple(jobs)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Starts the jobs; each runs for the first time when its interval has passed."""
        self._tasks = [asyncio.create_task(self._repeat(job), name=f"job {job.name}") for job in self._jobs]

    async def stop(self) -> None:
        """Ends the jobs; what one was doing is undone. May be called twice."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def run(self, job: Job) -> bool:
        """Runs a job if it is due; whether it was.

        Raises:
            DatabaseError, Unavailable: it could not be run, and counts as not run.
        """
        async with self._database.transaction() as connection:
            due = bool(await connection.fetchval(_CLAIM, job.name, SLACK * job.every))
            if due:
                await connection.execute(job.statement, *job.arguments)
            return due

    async def _repeat(self, job: Job) -> None:
        while True:
            await asyncio.sleep(job.every)
            try:
                await self.run(job)
            except (DatabaseError, Unavailable, OSError) as error:
                log.warning("the job %s failed: %s", job.name, error)
