"""The target's rows: who stands in two sessions at once, and entries that are set back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from conformance.rows import Doubled, opened
from harness.errors import Trouble

_TABLES = """
create table public.chat_sessions (id uuid primary key, user1_id uuid, user2_id uuid, status text);
create table public.waiting_queue (user_id uuid primary key, joined_at timestamptz not null default now());
"""
ANN, BEN, CAT = (str(uuid4()) for _ in range(3))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A database with the two tables."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(_TABLES)
    yield connection
    await connection.close()


async def _session(database: asyncpg.Connection, first: str, second: str, status: str) -> str:
    name = str(uuid4())
    await database.execute("insert into chat_sessions values ($1, $2, $3, $4)", name, first, second, status)
    return name


async def test_two_active_sessions_are_found(database: asyncpg.Connection, database_url: str) -> None:
    """One who is in two active sessions is named with both; ended ones do not count, nor do those of others."""
    first = await _session(database, ANN, BEN, "active")
    await _session(database, CAT, ANN, "ended")
    async with opened(database_url) as rows:
        assert rows is not None
        assert await rows.doubled([ANN, BEN, CAT]) == []
        second = await _session(database, CAT, ANN, "active")
        low, high = sorted((first, second))
        assert await rows.doubled([ANN, BEN, CAT]) == [Doubled(ANN, (low, high))]
        assert await rows.doubled([BEN, CAT]) == []


async def test_an_entry_is_set_back(database: asyncpg.Connection, database_url: str) -> None:
    """By as many seconds as asked; who has no entry has none to set back."""
    await database.execute("insert into waiting_queue (user_id) values ($1)", ANN)
    async with opened(database_url) as rows:
        assert rows is not None
        assert await rows.age(ANN, 90.0) and not await rows.age(BEN, 90.0)
    age = await database.fetchval("select extract(epoch from now() - joined_at) from waiting_queue")
    assert age >= 90


async def test_without_a_database_there_are_no_rows() -> None:
    """Evidence level E2 is an offer; one that is not there is said at once."""
    async with opened("") as rows:
        assert rows is None
    with pytest.raises(Trouble, match="cannot be reached"):
        async with opened("postgresql://nobody@127.0.0.1:9/nothing"):
            pass


async def test_a_row_says_whether_it_is_over(database: asyncpg.Connection, database_url: str) -> None:
    """Over is a session that is not active and carries the time of its end; one that is not there is not."""
    await database.execute("alter table chat_sessions add column ended_at timestamptz")
    active, timeless, over = [await _session(database, ANN, BEN, status) for status in ("active", "ended", "ended")]
    await database.execute("update chat_sessions set ended_at = now() where id = $1", over)
    async with opened(database_url) as rows:
        assert rows is not None
        said = await asyncio.gather(*(rows.ended(one) for one in (active, timeless, over, str(uuid4()))))
    assert said == [False, False, True, False]
