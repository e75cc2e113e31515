"""Several instances on one database: who has a socket where, who is taken over from whom, and who has vanished."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from reference_server.db import Database
from reference_server.sessions.live_sockets import LiveSockets

TIMEOUT = 0.4
GRACE = 0.2
PATIENCE = 0.6
DEADLINE = 10.0


class Instance:
    """One instance's view, and the users that it was given."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.sockets = LiveSockets(database, TIMEOUT, GRACE, PATIENCE)
        self.adopted: list[UUID] = []
        self.news = asyncio.Event()

    def adopt(self, users: Iterable[UUID], _seconds: float) -> None:
        self.adopted += users
        self.news.set()

    async def die(self) -> None:
        """As kill -9 does: nothing is told any more."""
        task, self.sockets._task = self.sockets._task, None
        task.cancel()
        await asyncio.wait({task})

    async def absence(self, user: UUID) -> float:
        return (await self.sockets.absences([user]))[user]

    async def gone(self, user: UUID) -> None:
        """Waits until the user has vanished."""
        async with asyncio.timeout(DEADLINE):
            while await self.absence(user) > 0:
                pass


@pytest.fixture
async def database(installed: Database) -> Database:
    return installed


@asynccontextmanager
async def instance(database: Database) -> AsyncIterator[Instance]:
    made = Instance(database)
    await made.sockets.start(made.adopt)
    try:
        yield made
    finally:
        await made.sockets.stop()


async def test_a_socket_is_known_to_the_others(database):
    """While it is open nobody takes its user for vanished; afterwards he has his grace period, then he is gone."""
    user = uuid4()
    async with instance(database) as one, instance(database) as other:
        assert await other.absence(user) == 0.0
        one.sockets.opened(user)
        assert await one.absence(user) == math.inf
        assert await other.absence(user) == math.inf
        one.sockets.lost(user, 0.3)
        assert 0.0 < await one.absence(user) <= 0.3
        await other.gone(user)


async def test_a_socket_elsewhere_counts(database):
    """A user who lost his socket here and has one there has not vanished."""
    user = uuid4()
    async with instance(database) as one, instance(database) as other:
        one.sockets.opened(user)
        one.sockets.lost(user, 0.0)
        other.sockets.opened(user)
        await other.absence(user)
        assert await one.absence(user) == math.inf
        one.sockets.gone(user)
        assert await one.absence(user) == math.inf


async def test_life_shown_elsewhere_puts_the_end_off(database):
    """A poll at another instance reaches the one that watches."""
    user = uuid4()
    async with instance(database) as one, instance(database) as other:
        one.sockets.opened(user)
        one.sockets.lost(user, 0.05)
        await one.gone(user)
        other.sockets.seen(user)
        async with asyncio.timeout(DEADLINE):
            while await one.absence(user) == 0.0:
                pass
        await one.gone(user)


async def test_life_shown_before_a_socket_puts_nothing_off(database):
    """What a user showed before he opened a socket is told late, and says nothing of the time after its loss."""
    user = uuid4()
    async with instance(database) as one:
        one.sockets.seen(user)
        one.sockets.opened(user)
        one.sockets.lost(user, 0.0)
        await one.sockets._beat()
        assert await one.absence(user) == 0.0


async def test_the_users_of_a_dead_instance_are_adopted(database):
    """A survivor looks after them: with a grace period, unless they have a socket elsewhere by then."""
    stays, gone = uuid4(), uuid4()
    async with instance(database) as victim, instance(database) as survivor:
        for user in (stays, gone):
            victim.sockets.opened(user)
        await victim.absence(gone)
        await victim.die()
        survivor.sockets.opened(stays)
        async with asyncio.timeout(DEADLINE):
            await survivor.news.wait()
        assert survivor.adopted == [gone]
        await survivor.gone(gone)
        assert await survivor.absence(stays) == math.inf


async def test_one_survivor_adopts(database):
    """Of two survivors each user is given to one."""
    users = {uuid4() for _ in range(20)}
    async with instance(database) as victim, instance(database) as one, instance(database) as other:
        for user in users:
            victim.sockets.opened(user)
        await victim.absence(uuid4())
        await victim.die()
        async with asyncio.timeout(DEADLINE):
            while len(one.adopted) + len(other.adopted) < len(users):
                await one.absence(uuid4())
        assert sorted(one.adopted + other.adopted) == sorted(users)


async def test_an_instance_that_was_taken_for_dead_tells_all_again(database):
    """One that stalled for too long comes back with its sockets."""
    user, other_user = uuid4(), uuid4()
    async with instance(database) as stalled, instance(database) as other:
        stalled.sockets.opened(user)
        await stalled.absence(user)
        async with database.connection() as connection:
            await connection.execute("delete from gurukul.instances where id = $1", stalled.sockets.instance)
            await connection.execute("delete from gurukul.live_sockets")
        stalled.sockets.opened(other_user)
        await stalled.absence(other_user)
        assert await other.absence(user) == math.inf


async def test_a_stopped_instance_is_succeeded_at_once(database):
    """Whoever starts next finds its users, without waiting for any timeout."""
    user = uuid4()
    async with instance(database) as first:
        first.sockets.opened(user)
    async with instance(database) as second:
        assert second.adopted == [user]
        assert 0.0 < await second.absence(user) <= PATIENCE


async def test_a_first_instance_looks_after_the_members_of_old_sessions(database):
    """After a restart those whom nobody knows have a moment to show life; a second instance changes nothing."""
    one, other = uuid4(), uuid4()
    async with database.connection() as connection:
        await connection.execute("insert into auth.users (id) values ($1), ($2)", one, other)
        await connection.execute("insert into public.chat_sessions (user1_id, user2_id) values ($1, $2)", one, other)
    async with instance(database) as first:
        assert sorted(first.adopted) == sorted((one, other))
        async with database.connection() as connection:
            await connection.execute("update public.chat_sessions set started_at = clock_timestamp()")
            await connection.execute("delete from gurukul.live_sockets")
        async with instance(database) as second:
            assert second.adopted == []


async def test_many_changes_are_few_statements(database, monkeypatch):
    """A thousand sockets that open at once are told in one message."""
    async with instance(database) as one:
        told: list[int] = []
        note = one.sockets._note

        async def counted(changed: set[UUID], seen: set[UUID]) -> bool:
            told.append(len(changed))
            return await note(changed, seen)

        monkeypatch.setattr(one.sockets, "_note", counted)
        for _ in range(1000):
            one.sockets.opened(uuid4())
        await one.absence(uuid4())
        assert max(told) == 1000
        assert len(told) <= 2
