"""Polls that come together: each sees what its caller may see, at the moment it came, and nobody pays for another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

import pytest

from reference_server.auth import Claims
from reference_server.db import Database
from reference_server.rest import statements
from reference_server.rest.catalogue import Catalogue, load_catalogue
from reference_server.rest.grammar import parse_query
from reference_server.rest.polls import BATCH_LIMIT, SHAPES, Polls, is_poll
from reference_server.rest.statements import Statement

PATH = "/rest/v1/chat_sessions"


class World:
    """Pairs of users, each with a session, and polls as clients make them."""

    def __init__(self, database: Database, polls: Polls, catalogue: Catalogue) -> None:
        self.database, self.polls, self.catalogue = database, polls, catalogue

    async def pair(self) -> tuple[UUID, UUID, UUID]:
        """Two users and their session."""
        one, other, session = uuid4(), uuid4(), uuid4()
        async with self.database.transaction() as connection:
            await connection.execute("insert into auth.users (id) values ($1), ($2)", one, other)
            await connection.execute(
                "insert into chat_sessions (id, user1_id, user2_id) values ($1, $2, $3)", session, one, other
            )
        return one, other, session

    def statement(self, of: UUID | str, select: str = "id%2Cuser1_id%2Cuser2_id") -> Statement:
        raw = f"select={select}&or=%28user1_id.eq.{of}%2Cuser2_id.eq.{of}%29&status=eq.active&limit=1"
        return statements.select(self.catalogue.tables["chat_sessions"], parse_query(parse_qsl(raw)))

    async def poll(self, by: UUID, of: UUID | str | None = None, role: str = "authenticated", **more: Any) -> Any:
        claims = Claims(role, by, time.time() + 60, {"sub": str(by), "role": role})
        return await self.polls.read(self.statement(of or by, **more), claims, "GET", PATH)

    async def together(self, *polls: Any) -> list[Any]:
        """Reads these while another one is under way, so that they gather."""
        lone = asyncio.create_task(self.poll(uuid4()))
        await asyncio.sleep(0)
        trips = self.database.statements.sent
        rows = await asyncio.gather(lone, *polls)
        self.trips = self.database.statements.sent - trips
        return rows[1:]


@pytest.fixture
async def world(shared: Database) -> AsyncIterator[World]:
    polls = Polls(shared)
    yield World(shared, polls, await load_catalogue(shared))
    await polls.stop()


async def test_each_gets_his_own(world: World):
    """The two of a session see it, a stranger sees nothing; three polls are one statement."""
    one, other, session = await world.pair()
    await world.poll(one)
    mine, yours, nobodys = await world.together(world.poll(one), world.poll(other), world.poll(uuid4()))
    assert str(session) in mine["body"]
    assert mine["body"] == yours["body"]
    assert [row["rows"] for row in (mine, yours, nobodys)] == [1, 1, 0]
    assert nobodys["body"] == "[]"
    assert world.trips == 2


async def test_nobody_sees_what_belongs_to_his_neighbour(world: World):
    """Row-level security holds for each of them: somebody who asks for another's session gets none."""
    one, other, _ = await world.pair()
    rows = await world.together(
        world.poll(one), world.poll(uuid4(), of=one), world.poll(other), world.poll(uuid4(), of=other)
    )
    assert [row["rows"] for row in rows] == [1, 0, 1, 0]


async def test_a_poll_sees_what_was_committed_before_it(world: World):
    """The plan is kept, and what is seen is not."""
    for _ in range(3):
        one, _, session = await world.pair()
        assert str(session) in (await world.poll(one))["body"]
        async with world.database.transaction() as connection:
            await connection.execute("update chat_sessions set status = 'ended' where id = $1", session)
        assert (await world.poll(one))["rows"] == 0


async def test_what_one_asks_wrongly_costs_the_others_nothing(world: World):
    """A value that is no UUID fails the whole statement: then each of them is to be read alone."""
    one, other, _ = await world.pair()
    assert await world.together(world.poll(one), world.poll(one, of="nobody"), world.poll(other)) == [None] * 3
    assert [row["rows"] for row in await world.together(world.poll(one), world.poll(other))] == [1, 1]


async def test_a_lost_connection_is_made_anew(world: World):
    """Those who were being read are read alone, and the next ones together again."""
    one, other, _ = await world.pair()
    await world.poll(one)
    (backend,) = await _polling(world)
    async with world.database.connection() as connection:
        await connection.execute("select pg_terminate_backend($1, 5000)", backend)
    assert (await world.poll(one) or await world.poll(one))["rows"] == 1
    assert [row["rows"] for row in await world.together(world.poll(one), world.poll(other))] == [1, 1]
    assert await _polling(world) != [backend]


async def _polling(world: World) -> list[int]:
    """The backends whose last statement was a poll of many."""
    async with world.database.connection() as connection:
        rows = await connection.fetch(
            "select pid from pg_stat_activity where datname = current_database() and query like '%pg_temp.poll%'"
            " and pid <> pg_backend_pid()"
        )
    return [row["pid"] for row in rows]


async def test_others_are_read_alone(world: World):
    """Another role, and a list among the values."""
    one, _, _ = await world.pair()
    claims = Claims("authenticated", one, time.time() + 60, {"sub": str(one)})
    assert await world.poll(one, role="anon") is None
    assert await world.polls.read(Statement("select $1", (["a"],)), claims, "GET", PATH) is None


async def test_the_shape_that_was_not_asked_for_longest_makes_way(world: World):
    """Odd queries do not take the place of those that are asked all the time, and cost no memory in the end."""
    one, other, _ = await world.pair()
    await world.poll(one)
    for count in range(2, 2 * SHAPES):
        assert (await world.poll(one, select=",".join(["id"] * count)))["rows"] == 1
        assert [row["rows"] for row in await world.together(world.poll(one), world.poll(other))] == [1, 1]
        assert world.trips == 2
    async with world.polls._database.connection():
        assert world.polls._connection is not None
        kept = await world.polls._connection.fetchval("select count(*) from pg_proc where proname ~ '^poll_[0-9]'")
    assert kept == SHAPES


@pytest.mark.parametrize(
    ("raw", "is_one"),
    [
        ("select=id&or=(user1_id.eq.x,user2_id.eq.x)&status=eq.active&limit=1", True),
        ("select=id&or=(user1_id.eq.x,user2_id.eq.x)&status=eq.active&order=started_at.desc&limit=1", True),
        ("user_id=eq.x&limit=1", True),
        ("status=neq.ended&ended_at=is.null&id=in.(a,b)&limit=1", True),
        ("or=(user1_id.eq.x,user2_id.eq.x)&status=eq.active&limit=2", False),
        ("or=(user1_id.eq.x,user2_id.eq.x)&status=eq.active", False),
        ("status=match.a+&limit=1", False),
        ("or=(id.eq.x,and(status.like.a*,id.eq.y))&limit=1", False),
        ("status=eq(any).{a,b}&limit=1", False),
        ("status=fts.a&limit=1", False),
        ("preferences->x=eq.1&limit=1", False),
        ("select=preferences->x&limit=1", False),
        ("order=preferences->x&limit=1", False),
        ("id=in.(a,b,c,d,e,f,g,h,i)&limit=1", False),
        ("or=(" + ",".join(["id.eq.x"] * 8) + ")&limit=1", False),
    ],
)
def test_what_is_a_poll(raw: str, is_one: bool):
    """Others wait for a poll: what takes time of its own is none."""
    assert is_poll(parse_query(parse_qsl(raw))) is is_one


async def test_hundreds_at_once(world: World):
    """They go in batches, and each of them gets his own."""
    pairs = [await world.pair() for _ in range(20)]
    await world.poll(pairs[0][0])
    asked = [pairs[place % 20] for place in range(2 * BATCH_LIMIT)]
    rows = await world.together(*(world.poll(one) for one, _, _ in asked))
    assert all(str(session) in row["body"] for row, (_, _, session) in zip(rows, asked, strict=True))
    assert world.trips == 3


async def test_nothing_can_be_written_while_it_is_read(world: World):
    """As in any GET: a statement that would change something is refused."""
    one, _, _ = await world.pair()
    statement = Statement(
        "select pg_notify('x', $1::text)::text as body, (select count(*) from writes()) as rows", ("y",)
    )
    async with world.database.connection() as connection:
        await connection.execute(
            "create or replace function writes() returns setof uuid language sql volatile as"
            " $$ update chat_sessions set status = 'ended' returning id $$"
        )
    claims = Claims("authenticated", one, time.time() + 60, {"sub": str(one)})
    assert await world.polls.read(statement, claims, "GET", PATH) is None
    assert (await world.poll(one))["rows"] == 1


async def test_what_has_come_is_answered_before_the_end(world: World):
    """After the end each is told to be read alone."""
    one, _, _ = await world.pair()
    polling = asyncio.create_task(world.poll(one))
    await asyncio.sleep(0)
    await world.polls.stop()
    assert (await polling)["rows"] == 1
    assert await world.poll(one) is None


async def test_a_caller_who_goes_away_is_no_trouble(world: World):
    """The others are answered."""
    one, other, _ = await world.pair()
    gone = asyncio.create_task(world.poll(one))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await world.poll(other))["rows"] == 1
    with pytest.raises(asyncio.CancelledError):
        await gone
