"""New subscriptions are told of what was inserted just before: once, in order, and only what stands and may be seen."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from reference_server.db import Connection, Database
from reference_server.realtime.delivery import Plan
from reference_server.settings import Settings
from tests.reference_server.realtime.conftest import (
    PATIENCE,
    PROMPT,
    Client,
    Site,
    changes,
    record,
    running_site,
    sessions_of,
)

END = "update chat_sessions set status = 'ended', ended_at = now() where id = $1"


def both(user: UUID) -> tuple[dict[str, Any], dict[str, Any]]:
    """The document's two bindings."""
    return sessions_of(user), sessions_of(user, column="user2_id")


async def subscribe(site: Site, client: Client, user: UUID, topic: str = "") -> None:
    await client.subscribe(f"realtime:{topic}{user}", *both(user), token=site.token(user))


async def told(site: Site, user: UUID, client: Client) -> list[str]:
    """The sessions that the client is told of, up to one that is made now, which has to come last."""
    (other,) = await site.users(1)
    last = str(await site.session(other, user))
    found: list[str] = []
    async with asyncio.timeout(PATIENCE):
        while not found or found[-1] != last:
            found.append(record((await changes(client, 1))[0])["id"])
    return found[:-1]


async def kept(site: Site, user: UUID) -> None:
    """Waits until the feed has told of the user's last session."""
    recent = site.realtime._feed.recent
    assert recent is not None
    async with asyncio.timeout(PATIENCE):
        while not recent.find("public", "chat_sessions", "user1_id", str(user), 0.0):
            await site.execute("select 1")


@asynccontextmanager
async def held(site: Site) -> AsyncIterator[None]:
    """The feed tells nothing while this lasts."""
    holding, release = asyncio.Event(), asyncio.Event()

    async def hold(_connection: Connection) -> None:
        holding.set()
        await release.wait()

    work = asyncio.create_task(site.realtime._feed.between(hold))
    await asyncio.wait_for(holding.wait(), PATIENCE)
    try:
        yield
    finally:
        release.set()
        await work


async def test_a_session_made_before_the_subscription_is_told_after_its_ok(site: Site) -> None:
    """Whoever joins first and subscribes afterwards learns of the session that was made in between, once."""
    one, other = await site.users(2)
    session = await site.session(one, other)
    await kept(site, one)
    async with site.client() as mine, site.client("1.0.0") as theirs:
        await subscribe(site, mine, one)
        await subscribe(site, theirs, other)
        assert await told(site, one, mine) == [str(session)]
        (frame,) = await changes(theirs, 1)
        assert record(frame)["id"] == str(session)
        assert (frame.payload["data"]["type"], frame.payload["data"]["errors"]) == ("INSERT", None)


async def test_what_does_not_stand_or_is_not_ours_is_not_told(site: Site) -> None:
    """An ended session, a deleted one, and one that row-level security hides are not replayed."""
    one, other, stranger = await site.users(3)
    for statement in (END, "delete from chat_sessions where id = $1"):
        await site.execute(statement, await site.session(one, other))
    await kept(site, one)
    async with site.client() as mine, site.client() as theirs:
        await subscribe(site, mine, one)
        assert await told(site, one, mine) == []
        hidden = await site.session(one, other)
        await changes(mine, 1)
        await theirs.subscribe("realtime:x", sessions_of(one), token=site.token(stranger))
        await theirs.heartbeat()
        await subscribe(site, theirs, stranger)
        assert str(hidden) not in await told(site, stranger, theirs)


@pytest.mark.parametrize("ended", [False, True])
async def test_the_feed_behind_the_subscription(site: Site, ended: bool) -> None:
    """A session that the feed has yet to tell of when the subscription begins comes once, unless it is over by then."""
    one, other = await site.users(2)
    async with site.client() as client:
        async with held(site):
            session = await site.session(one, other)
            if ended:
                await site.execute(END, session)
            await subscribe(site, client, one)
        assert await told(site, one, client) == ([] if ended else [str(session)])


async def test_the_subscription_behind_the_feed(site: Site) -> None:
    """A session that the feed told of while the subscription was being checked comes once, too."""
    one, other = await site.users(2)
    answers: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
    bound, site.realtime._binder._bound = site.realtime._binder._bound, lambda *answer: answers.put_nowait(answer)
    async with site.client() as client:
        await client.join(f"realtime:{one}", *both(one), token=site.token(one))
        answer = await asyncio.wait_for(answers.get(), PATIENCE)
        session = await site.session(one, other)
        await kept(site, one)
        bound(*answer)
        assert (await client.receive()).event == "system"
        assert await told(site, one, client) == [str(session)]


async def test_a_subscription_while_the_feed_asks(site: Site) -> None:
    """It waits until what the feed has begun to tell is told: to the early one by the feed, to it after that."""
    one, other = await site.users(2)
    asking, answer = asyncio.Event(), asyncio.Event()
    tell = site.realtime._teller._tell

    async def tell_late(connection: Connection, work: Plan) -> None:
        asking.set()
        await answer.wait()
        await tell(connection, work)

    site.realtime._teller._tell = tell_late  # type: ignore[method-assign]
    async with site.client() as early, site.client() as late:
        await subscribe(site, early, one)
        session = await site.session(one, other)
        await asyncio.wait_for(asking.wait(), PATIENCE)
        await late.join(f"realtime:{other}", *both(other), token=site.token(other))
        async with asyncio.timeout(PATIENCE):
            while not site.realtime._teller._waiting:
                await late.heartbeat()
        answer.set()
        assert (await late.receive()).event == "system"
        assert [record(frame)["id"] for frame in await changes(early, 1)] == [str(session)]
        assert await told(site, other, late) == [str(session)]


async def test_subscriptions_and_sessions_in_any_order(site: Site) -> None:
    """However the two fall together, each user is told of his session exactly once."""
    chance = random.Random(5)
    people = await site.users(40)

    async def play(client: Client, user: UUID, other: UUID, turns: int) -> tuple[str, list[str]]:
        making = asyncio.create_task(site.session(user, other))
        for _ in range(turns):
            await client.heartbeat()
        await client.join(f"realtime:{user}", *both(user), token=site.token(user))
        session = await making
        assert (await client.receive()).event == "system"
        return str(session), [record(frame)["id"] for frame in await changes(client, 1)]

    (other,) = await site.users(1)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(site.client()) for _ in people]
        played = await asyncio.gather(
            *(play(client, user, other, chance.randrange(6)) for client, user in zip(clients, people, strict=True))
        )
        for client, user, (session, found) in zip(clients, people, played, strict=True):
            assert found == [session]
            assert await told(site, user, client) == []


async def test_messages_come_in_their_order(site: Site) -> None:
    """What was written before the subscription is told before what is written after it."""
    one, other = await site.users(2)
    session = await site.session(one, other)
    insert = "insert into messages (session_id, sender_id, content) values ($1, $2, $3)"
    binding = {"event": "INSERT", "schema": "public", "table": "messages", "filter": f"session_id=eq.{session}"}
    async with site.client() as client:
        for number in range(20):
            await site.execute(insert, session, one, str(number))
            if number == 9:
                await client.join("realtime:chat", binding, token=site.token(other))
        assert (await client.receive()).event == "system"
        assert [record(frame)["content"] for frame in await changes(client, 20)] == [str(n) for n in range(20)]


async def test_a_new_token_replays_nothing(site: Site) -> None:
    """The subscription that is made anew for a new token is no new one: nothing comes twice, nothing is missed."""
    one, other = await site.users(2)
    session = await site.session(one, other)
    await kept(site, one)
    async with site.client() as client:
        await subscribe(site, client, one)
        assert [record(frame)["id"] for frame in await changes(client, 1)] == [str(session)]
        async with held(site):
            second = await site.session(other, one)
            token = site.token(one, lasts=1800)
            await client.send(f"realtime:{one}", "access_token", {"access_token": token}, "2", "1")
            assert (await client.receive()).event == "system"
        assert [record(frame)["id"] for frame in await changes(client, 1)] == [str(second)]
        assert await told(site, one, client) == []


async def test_an_insertion_in_a_subtransaction_stands(site: Site) -> None:
    """A row that a function inserts in a block with an exception handler is replayed like any other."""
    one, other = await site.users(2)
    session = uuid4()
    await site.execute(
        f"""do $$ begin
            begin
                insert into chat_sessions (id, user1_id, user2_id) values ('{session}', '{one}', '{other}');
            exception when others then raise;
            end;
        end $$"""
    )
    await kept(site, one)
    async with site.client() as client:
        await subscribe(site, client, one)
        assert await told(site, one, client) == [str(session)]


async def test_a_lost_feed_invents_nothing(site: Site, database_url: str) -> None:
    """What was told before the loss is not told again after it; what is inserted afterwards is."""
    one, other = await site.users(2)
    await site.session(one, other)
    await kept(site, one)
    lost, site.realtime._feed._reopened = asyncio.Event(), lambda: lost.set()
    owner = await asyncpg.connect(database_url)
    try:
        cut = """select pg_terminate_backend(active_pid) from pg_replication_slots
                  where database = current_database() and slot_name = $1"""
        assert await owner.fetchval(cut, f"{site.realtime._feed._slot}_1")
    finally:
        await owner.close()
    await asyncio.wait_for(lost.wait(), PATIENCE)
    async with site.client() as client:
        await subscribe(site, client, one)
        assert await told(site, one, client) == []


@pytest.mark.parametrize("settings", [Settings(engine="documented", **PROMPT), Settings(replay_window=0, **PROMPT)])
async def test_the_documented_server_replays_nothing(installed: Database, settings: Settings) -> None:
    """As hosted: what was committed before the subscription is lost to it. And so where the window is 0."""
    async with running_site(installed, settings) as site:
        one, other = await site.users(2)
        async with site.client() as early, site.client() as client:
            await subscribe(site, early, one)
            await site.session(one, other)
            await changes(early, 1)
            await subscribe(site, client, one, "late:")
            assert await told(site, one, client) == []


def test_the_window_is_the_engines() -> None:
    """Five seconds for hardened, none for documented, unless one is given."""
    assert [Settings(engine=one).replayed_seconds for one in ("hardened", "documented")] == [5.0, 0.0]  # type: ignore[arg-type]
    assert Settings(engine="documented", replay_window=2).replayed_seconds == 2.0
