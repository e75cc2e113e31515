"""An engine on a fresh database, and what a test needs to look at both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from reference_server.db import Database
from reference_server.matchmaking.documented import DocumentedEngine
from reference_server.matchmaking.engine import Engine
from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.settings import Settings

ENGINES: dict[str, type[DocumentedEngine | HardenedEngine]] = {
    "documented": DocumentedEngine,
    "hardened": HardenedEngine,
}
DEADLINE = 10.0


@dataclass
class Place:
    """One engine at work on a database of its own."""

    engine: Engine
    database: Database
    settings: Settings

    async def users(self, count: int) -> list[UUID]:
        """Makes accounts."""
        users = [uuid4() for _ in range(count)]
        await self.execute("insert into auth.users (id, is_anonymous) select unnest($1::uuid[]), true", users)
        return users

    async def befriend(self, one: UUID, other: UUID) -> None:
        """Makes two users accepted buddies."""
        statement = (
            "insert into public.study_connections (requester_id, receiver_id, status) values ($1, $2, 'accepted')"
        )
        await self.execute(statement, one, other)

    async def execute(self, statement: str, *args: object) -> None:
        """Runs a statement with the owner's rights, as psql would."""
        async with self.database.connection() as connection:
            await connection.execute(statement, *args)

    async def value(self, query: str, *args: object) -> Any:
        """The first value of a query, asked with the owner's rights."""
        async with self.database.connection() as connection:
            return await connection.fetchval(query, *args)

    async def quiet(self) -> None:
        """Waits for the calls that the documented engine does not await."""
        if isinstance(self.engine, DocumentedEngine):
            await self.engine.stop()

    async def join_slowly(self, user: UUID, arrives: asyncio.Event) -> None:
        """Joins; where the engine does not await its `find_match`, that reaches the database at the event."""
        if not isinstance(self.engine, DocumentedEngine):
            await self.engine.join(user, "global")
            return
        hop, self.engine.second_hop = self.engine.second_hop, until(arrives)
        try:
            await self.engine.join(user, "global")
        finally:
            self.engine.second_hop = hop

    async def burst(self, users: list[UUID], mode: str = "global") -> None:
        """All join at once; what is under way then ends."""
        await asyncio.gather(*(self.engine.join(user, mode) for user in users))
        await self.quiet()

    async def age(self, user: UUID, seconds: float) -> None:
        """Makes a queue entry older than it is, as an administrator would."""
        statement = (
            "update public.waiting_queue set joined_at = joined_at - make_interval(secs => $2) where user_id = $1"
        )
        await self.execute(statement, user, seconds)

    async def active(self, user: UUID) -> list[UUID]:
        """The active sessions of a user, oldest first."""
        query = """select id from public.chat_sessions
                    where status = 'active' and $1 in (user1_id, user2_id) order by started_at, id"""
        async with self.database.connection() as connection:
            return [row[0] for row in await connection.fetch(query, user)]

    async def matched(self, user: UUID) -> None:
        """Waits until the user has an active session."""
        async with asyncio.timeout(DEADLINE):
            while not await self.active(user):
                pass

    async def partner(self, user: UUID) -> UUID | None:
        """The other member of the user's newest active session."""
        query = """select case when user1_id = $1 then user2_id else user1_id end from public.chat_sessions
                    where status = 'active' and $1 in (user1_id, user2_id) order by started_at desc limit 1"""
        async with self.database.connection() as connection:
            return await connection.fetchval(query, user)

    async def waiting(self) -> list[UUID]:
        """Who stands in the queue, oldest first."""
        async with self.database.connection() as connection:
            rows = await connection.fetch("select user_id from public.waiting_queue order by joined_at")
        return [row[0] for row in rows]

    async def blocked(self, count: int = 1) -> None:
        """Waits until `count` statements on this database wait for a lock."""
        query = """select count(*) from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock'"""
        async with asyncio.timeout(DEADLINE):
            while await self.value(query) < count:
                pass

    async def doubled(self) -> int:
        """How many users are in more than one active session."""
        query = """select count(*) from (
                       select u from public.chat_sessions, unnest(array[user1_id, user2_id]) u
                        where status = 'active' group by u having count(*) > 1) d"""
        return await self.value(query)


async def pair(place: Place) -> tuple[UUID, UUID]:
    """Two users in a session: the one who waited, and the one who came."""
    waiter, comer = await place.users(2)
    await place.engine.join(waiter, "global")
    assert await place.engine.join(comer, "global") is not None
    return waiter, comer


def until(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
    """A way that takes until the event."""

    async def way() -> None:
        await event.wait()

    return way


@asynccontextmanager
async def at_work(
    engine_name: str, database_url: str, *, keep: bool = False, pool: int = 8, **settings: float
) -> AsyncIterator[Place]:
    """Runs an engine on a database, which it installs into and (unless told to keep what is there) empties."""
    values = Settings(**{"queue_ttl": 60.0, "find_match_delay": 0.0, **settings})  # type: ignore[arg-type]
    database = await Database.open(database_url, pool_size=pool)
    try:
        sql = files("reference_server.matchmaking").joinpath(f"{engine_name}.sql").read_text()
        await database.install(engine_name, sql)
        engine = ENGINES[engine_name](values, database)
        place = Place(engine, database, values)
        if not keep:
            await place.execute("delete from auth.users")
        await engine.start()
        try:
            yield place
        finally:
            await engine.stop()
    finally:
        await database.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine_urls(postgres_url: str) -> AsyncIterator[dict[str, str]]:
    """One database for each engine, kept for the run: a test finds it installed, and empties it."""
    names = {engine: f"test_{engine}_{uuid4().hex}" for engine in ENGINES}
    for name in names.values():
        await _as_owner(postgres_url, f"create database {name}")
        await _as_owner(postgres_url, f"alter database {name} set synchronous_commit = off")
    yield {engine: postgres_url.replace("/postgres?", f"/{name}?") for engine, name in names.items()}
    for name in names.values():
        await _as_owner(postgres_url, f"drop database {name} with (force)")


async def _as_owner(url: str, statement: str) -> None:
    database = await Database.open(url, pool_size=1)
    try:
        async with database.connection() as connection:
            await connection.execute(statement)
    finally:
        await database.close()


@pytest.fixture
def engine_at_work(engine_urls: dict[str, str]) -> Callable[..., AbstractAsyncContextManager[Place]]:
    """Puts an engine to work: `engine_at_work("hardened", queue_ttl=1)`; `keep=True` for a second instance."""

    def start(engine: str, *, keep: bool = False, **settings: float) -> AbstractAsyncContextManager[Place]:
        return at_work(engine, engine_urls[engine], keep=keep, **settings)

    return start


@pytest.fixture
async def hardened(engine_at_work: Callable[..., AbstractAsyncContextManager[Place]]) -> AsyncIterator[Place]:
    """The hardened engine at work."""
    async with engine_at_work("hardened") as place:
        yield place


@pytest.fixture
async def documented(engine_at_work: Callable[..., AbstractAsyncContextManager[Place]]) -> AsyncIterator[Place]:
    """The documented engine at work."""
    async with engine_at_work("documented") as place:
        yield place
