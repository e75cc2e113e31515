"""Jobs: run at their time, by one instance, and again after one that failed."""

from __future__ import annotations

import asyncio

import pytest

from reference_server.db import Database, DatabaseError
from reference_server.jobs.schedule import Job, Schedule

COUNT = "select count(*) from diary"
WRITE = "insert into diary values (1)"


@pytest.fixture
async def database(installed: Database) -> Database:
    """A database with a table to write into."""
    async with installed.connection() as connection:
        await connection.execute("create table diary (line int)")
    return installed


async def written(database: Database) -> int:
    async with database.connection() as connection:
        return await connection.fetchval(COUNT)


async def test_a_job_is_run_once_in_its_interval(database):
    """The first who asks runs it; until it is due again nobody does."""
    job, one, other = Job("a", 1000, WRITE), Schedule(database, ()), Schedule(database, ())
    assert [await one.run(job), await other.run(job), await one.run(job)] == [True, False, False]
    assert await written(database) == 1
    async with database.connection() as connection:
        await connection.execute("update gurukul.jobs set ran_at = ran_at - interval '1000 s'")
    assert await other.run(job)


async def test_a_job_is_not_run_twice_at_a_time(database):
    """While one instance is at it, another goes on without it, and does not wait."""
    job, other = Job("a", 0, WRITE), Schedule(database, ())
    async with database.transaction() as connection:
        assert await connection.fetchval("select gurukul.claim_job('a', 0)")
        assert not await other.run(job)
        assert await other.run(Job("b", 0, WRITE))
    assert await other.run(job)


async def test_a_job_that_fails_has_not_run(database):
    """What it did is undone, and it is still due."""
    schedule = Schedule(database, ())
    with pytest.raises(DatabaseError):
        await schedule.run(Job("a", 1000, "insert into diary values (1 / 0)"))
    assert await schedule.run(Job("a", 1000, WRITE))


async def test_arguments_reach_the_statement(database):
    """A job may carry settings."""
    await Schedule(database, ()).run(Job("a", 0, "insert into diary values ($1)", (7,)))
    async with database.connection() as connection:
        assert await connection.fetchval("select line from diary") == 7


async def test_jobs_come_again(database, caplog):
    """Between start and stop they run on, also beside one that fails; stop may be called twice."""
    schedule = Schedule(database, (Job("bad", 0.005, "select 1 / 0"), Job("good", 0.005, WRITE)))
    await schedule.start()
    async with asyncio.timeout(10):
        while await written(database) < 3:
            pass
    await schedule.stop()
    await schedule.stop()
    assert "the job bad failed" in caplog.text
