"""The PostgreSQL of the tests: one throw-away cluster for a run, one fresh database for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest

from harness.lab.postgres import embedded_postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a throw-away PostgreSQL cluster (a Unix socket; superuser `postgres`, no password)."""
    with embedded_postgres() as cluster:
        yield cluster.url


@asynccontextmanager
async def fresh_database(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a new, empty database, dropped in the end (connections to it are cut)."""
    name = f"test_{uuid4().hex}"
    owner = await asyncpg.connect(postgres_url)
    try:
        await owner.execute(f"create database {name}")
        yield postgres_url.replace("/postgres?", f"/{name}?")
        await owner.execute(_END_READERS, name)
        await owner.execute(f"drop database {name} with (force)")
    finally:
        await owner.close()


@pytest.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a database of the test's own."""
    async with fresh_database(postgres_url) as url:
        yield url


# A database whose log somebody still reads cannot be dropped, not even with force: wait until the reader is gone.
_END_READERS = """
select pg_terminate_backend(active_pid, 10000) from pg_replication_slots where database = $1 and active
"""
