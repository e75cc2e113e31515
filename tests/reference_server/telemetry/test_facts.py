"""The database is asked once at a time, and never waited for longer than the deadline."""

from __future__ import annotations

from reference_server.db import Database
from reference_server.telemetry.facts import NOTHING, Inquirer


async def test_a_database_that_is_slow(installed: Database) -> None:
    """A question that takes too long is answered with nothing; the next scrape waits for that same question, not for
    another one, and has its answer."""
    inquirer = Inquirer(installed, deadline=0.05)
    patient = Inquirer(installed, deadline=30.0)
    async with installed.transaction() as connection:
        await connection.execute("lock table public.waiting_queue in access exclusive mode")
        assert await inquirer.facts() is NOTHING
        used = installed.pool_used
        assert await inquirer.facts() is NOTHING
        assert installed.pool_used == used
    assert (await patient.facts()).values["queue_length"] == 0
    await inquirer.stop()
    await patient.stop()
    await patient.stop()


async def test_dead_rows_by_table(installed: Database) -> None:
    """Each table whose rows come and go is told of."""
    inquirer = Inquirer(installed, deadline=30.0)
    facts = await inquirer.facts()
    assert facts.dead.keys() == {"chat_sessions", "messages", "waiting_queue"}
    assert facts.values["slots_active"] == 0
