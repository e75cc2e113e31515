"""Several instances on one database: broadcasts and presence hold across them, and one may die at any point."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import asyncpg
import orjson
import pytest

from reference_server.db import Database
from reference_server.plans import PLANS
from reference_server.realtime import cluster as cluster_module
from reference_server.realtime.cluster import Cluster
from reference_server.realtime.frames import Payload, UserBroadcast
from reference_server.realtime.quotas import Quotas
from reference_server.realtime.rooms import Rooms
from reference_server.settings import Settings
from tests.reference_server.pieces import deep
from tests.reference_server.realtime.conftest import PATIENCE, PROMPT, Client, Site, running_site

TOPIC = "realtime:room"
MESSAGE = {"type": "broadcast", "event": "e", "payload": {"n": 1}}


@asynccontextmanager
async def second(site: Site) -> AsyncIterator[Site]:
    """Another instance on the same database, with connections of its own."""
    database = await Database.open(site.database.url, pool_size=2)
    try:
        async with running_site(database, site.settings) as other:
            yield other
    finally:
        await database.close()


async def enter(client: Client, key: str) -> Any:
    reply = await client.join(TOPIC, presence={"key": key, "enabled": True})
    assert reply.payload["status"] == "ok"
    return (await client.receive()).payload


async def track(client: Client) -> None:
    await client.send(TOPIC, "presence", {"type": "presence", "event": "track", "payload": {}}, "5", "1")


async def test_broadcasts_reach_the_other_instance_once(site: Site) -> None:
    """From a socket, binary, and from the server itself: each once, in order; nothing comes back to the sender."""
    async with second(site) as other, site.client() as here, other.client() as there:
        await here.join(TOPIC)
        await there.join(TOPIC)
        for number in range(50):
            await here.send(TOPIC, "broadcast", {**MESSAGE, "payload": {"n": number}})
        heard = [(await there.receive()).payload["payload"]["n"] for _ in range(50)]
        assert heard == list(range(50))
        binary = bytes([3, 0, 0, len(TOPIC), 1, 0, 0]) + TOPIC.encode() + b"e" + b"\x00\xff"
        await here.socket.send(binary)
        assert (await there.receive_raw())[-2:] == b"\x00\xff"
        other.realtime.broadcast("room", "match_found", {"s": 1})
        assert (await there.receive()).payload["event"] == "match_found"
        assert (await here.receive()).payload["event"] == "match_found"
        await here.heartbeat()
        await there.heartbeat()


async def test_presence_holds_across_instances(site: Site) -> None:
    """Who is on one instance is shown on the other, also to an instance that started later; who leaves, leaves both."""
    async with site.client() as here:
        await enter(here, "a")
        await track(here)
        assert [(await here.receive()).event for _ in range(2)] == ["phx_reply", "presence_diff"]
        async with second(site) as other, other.client() as there:
            assert set(await enter(there, "b")) == {"a"}
            await track(there)
            assert [(await there.receive()).event for _ in range(2)] == ["phx_reply", "presence_diff"]
            assert set((await here.receive()).payload["joins"]) == {"b"}
            await here.send(TOPIC, "phx_leave", {}, "9", "1")
            assert set((await there.receive()).payload["leaves"]) == {"a"}


async def test_an_instance_that_dies_takes_its_presence_along(site: Site) -> None:
    """Its replication slot is gone, so it is gone: the others tell of the leaves."""
    async with second(site) as other, site.client() as here, other.client() as there:
        await enter(here, "a")
        await enter(there, "b")
        await track(there)
        assert set((await here.receive()).payload["joins"]) == {"b"}
        await other.realtime._feed.stop()  # as when its process is killed: the connection and with it the slot end
        assert set((await here.receive()).payload["leaves"]) == {"b"}


async def test_an_instance_that_lost_the_log_comes_back(site: Site, database_url: str) -> None:
    """After a new slot it greets the others: presence is right again on both sides, and broadcasts pass."""
    async with second(site) as other, site.client() as here, other.client() as there:
        await enter(here, "a")
        await enter(there, "b")
        await track(there)
        assert set((await here.receive()).payload["joins"]) == {"b"}
        owner = await asyncpg.connect(database_url)
        try:
            cut = "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1"
            assert await owner.fetchval(cut, f"{other.realtime._feed._slot}_1")
        finally:
            await owner.close()
        await asyncio.wait_for(other.realtime._feed.connected.wait(), PATIENCE)
        async with other.client() as late:
            assert set(await enter(late, "c")) == {"b"}
        async with asyncio.timeout(PATIENCE):
            frame = None
            while frame is None or frame.event != "broadcast":
                other.realtime.broadcast("room", "e", {})
                frame = await here.receive()


async def test_connections_of_all_instances_count(installed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan's connections are those of all instances together."""
    monkeypatch.setitem(PLANS, "free", replace(PLANS["free"], connections=1))
    async with running_site(installed, Settings(plan="free", **PROMPT)) as site, site.client() as here:
        assert (await here.join(TOPIC)).payload["status"] == "ok"
        async with second(site) as other:
            assert other.realtime.quotas.full


class Silence:
    """A database that is never asked."""


def cluster() -> tuple[Cluster, list[Any]]:
    """A cluster without a database, and what its room was told."""
    told: list[Any] = []
    quotas = Quotas(PLANS["none"], lambda: 0.0)
    rooms = Rooms("me", quotas, lambda _channel, _frame: None, lambda _channel, _message: None)
    monkey = rooms.tell
    rooms.tell = lambda room, message, besides=None: (told.append((room, message)), monkey(room, message, besides))  # type: ignore[method-assign,assignment,func-returns-value]
    return Cluster(Silence(), "me", rooms, lambda: 3), told  # type: ignore[arg-type]


@pytest.mark.parametrize("message", [Payload({"a": 1}), UserBroadcast("e", b"\x00", json=False)])
def test_messages_survive_the_way(message: Any) -> None:
    """What one instance tells is what the other hears; nobody hears his own."""
    sender, _ = cluster()
    sender._others["you"] = 0
    sender.tell_broadcast("public/room", message)
    hearer, told = cluster()
    items = [orjson.loads(item) for item in sender._waiting]
    hearer.hear(orjson.dumps(["me", items]))
    hearer.hear(orjson.dumps(["another", items]))
    assert told == [("public/room", message)]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'["x",5]', b'["x",[["state"],3]]', b'["x",[["broadcast","room",1,2,3,4]]]']
)
def test_what_cannot_be_read_is_dropped(content: bytes) -> None:
    """A message of another version of this server breaks nothing."""
    hearer, told = cluster()
    hearer.hear(content)
    assert told == []


def test_what_can_be_read_beside_it_is_heard() -> None:
    """One thing that cannot be read costs none of the others in the same message."""
    hearer, told = cluster()
    good = ["broadcast", "public/room", {"n": 1}]
    hearer.hear(orjson.dumps(["another", [good, ["broadcast", "public/room", "e", False, "abcde"], good]]))
    assert told == [("public/room", Payload({"n": 1}))] * 2


def test_what_cannot_be_written_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and what comes after it is told."""
    sender, _ = cluster()
    sender._others["you"] = 0
    sender.tell_broadcast("public/room", Payload(deep(254)))
    sender.tell_broadcast("public/room", Payload({"n": 1}))
    assert [orjson.loads(item)[2] for item in sender._waiting] == [{"n": 1}]
    assert "are not told of a broadcast" in caplog.text


async def test_nothing_that_is_taken_cuts_an_instance_off(site: Site) -> None:
    """A broadcast as deep as one can be, or deeper: what the instance tells after it is heard on the other."""
    url = f"{site.http}/room/events/e?apikey={site.key}"
    async with second(site) as other, other.client() as there, aiohttp.ClientSession() as http:
        await there.join(TOPIC)
        taken = []
        for levels in range(240, 256):
            async with http.post(url, json=deep(levels)) as answer:
                assert answer.status in {202, 422}, await answer.text()
                if answer.status == 202:
                    taken.append(deep(levels))
        site.realtime.broadcast("room", "last", {})
        heard = [(await there.receive()).payload for _ in range(len(taken) + 1)]
        assert [message["payload"] for message in heard] == [*taken, {}]
        assert heard[-1]["event"] == "last"


@pytest.mark.parametrize(
    ("sizes", "first"),
    [([1] * 600, 500), ([9_000_000] * 3, 1), ([20_000_000, 1], 1), ([1, 20_000_000, 1], 1), ([8_000_000] * 2 + [1], 2)],
)
def test_a_message_of_the_log_has_a_size(sizes: list[int], first: int) -> None:
    """What waits together may be more than PostgreSQL takes at once: it goes one after the other."""
    assert len(cluster_module._batch([bytes(size) for size in sizes])) == first


async def test_an_instance_that_stops_tells_what_waits(site: Site) -> None:
    """What was said just before the end is heard by the others."""
    async with second(site) as other, site.client() as here:
        await here.join(TOPIC)
        for number in range(100):
            other.realtime.broadcast("room", "e", {"n": number})
        await other.realtime.stop()
        heard = [(await here.receive()).payload["payload"]["n"] for _ in range(100)]
        assert heard == list(range(100))


def test_alone_nothing_is_said() -> None:
    """Without others nothing waits to be written."""
    sender, _ = cluster()
    sender.tell_broadcast("public/room", Payload({}))
    sender.tell_track("public/room", 1, None)
    assert sender._waiting == []
