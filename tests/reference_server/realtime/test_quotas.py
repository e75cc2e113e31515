"""A plan's ceilings over the wire, on a clock that the test moves (PROTOCOL 1.7, 1.8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from reference_server.db import Database
from reference_server.plans import PLANS
from reference_server.realtime.quotas import JoinFlood, Quotas
from reference_server.settings import Settings
from tests.reference_server.realtime.conftest import PROMPT, Site, changes, running_site, sessions_of

SMALL = replace(PLANS["free"], connections=2, channels_per_connection=2)


@asynccontextmanager
async def limited(database: Database, time: list[float], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A site on a plan of two connections and two channels each."""
    monkeypatch.setitem(PLANS, "free", SMALL)
    async with running_site(database, Settings(plan="free", **PROMPT), lambda: time[0]) as site:
        yield site


async def test_connections_are_counted_at_the_join(installed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets without a channel cost nothing; the third that joins is refused, and its place is free when one goes."""
    async with limited(installed, [0.0], monkeypatch) as site, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(site.client()) for _ in range(3)]
        for client in clients[:2]:
            assert (await client.join("realtime:a")).payload["status"] == "ok"
        refused = await clients[2].join("realtime:a")
        reason = "ConnectionRateLimitReached: Too many connected users"
        assert refused.payload == {"status": "error", "response": {"reason": reason}}
        assert (await clients[0].join("realtime:b", ref="2")).payload["status"] == "ok"
        with pytest.raises(InvalidStatus) as raised:
            await connect(site.url(), compression=None)
        assert raised.value.response.status_code == 429
        assert orjson.loads(raised.value.response.body) == {"error": "Too many connected users"}
        await clients[0].socket.close()
        while (reply := await clients[2].join("realtime:a")).payload["status"] != "ok":
            assert reply.payload["response"]["reason"] == reason


async def test_channels_of_one_connection(installed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third channel is refused; after a leave there is room again."""
    async with limited(installed, [0.0], monkeypatch) as site, site.client() as client:
        for name in "ab":
            assert (await client.join(f"realtime:{name}")).payload["status"] == "ok"
        refused = await client.join("realtime:c")
        assert refused.payload["response"]["reason"] == "ChannelRateLimitReached: Too many channels"
        await client.send("realtime:a", "phx_leave", {}, "3", "1")
        await client.receive()
        await client.receive()
        assert (await client.join("realtime:c")).payload["status"] == "ok"


async def test_a_flood_of_joins_closes_the_socket(installed: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason in the reply, then close code 1001; upgrades are refused with 429 until the rate falls."""
    time = [0.0]
    async with limited(installed, time, monkeypatch) as site, site.client() as client:
        site.realtime.quotas.joins.add(500)
        assert (await client.join("realtime:a")).payload["status"] == "ok"
        time[0] += 5
        reply = await client.join("realtime:b")
        assert reply.payload["response"]["reason"] == "ClientJoinRateLimitReached: Too many joins per second"
        with pytest.raises(ConnectionClosed):
            await client.receive()
        assert client.socket.close_code == 1001
        with pytest.raises(InvalidStatus) as raised:
            await connect(site.url(), compression=None)
        assert orjson.loads(raised.value.response.body) == {"error": "Too many joins per second"}
        time[0] += 60
        async with site.client() as again:
            assert (await again.join("realtime:a")).payload["status"] == "ok"


async def test_too_many_messages_close_the_channels_that_hear_them(
    installed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recipient gets the system error and phx_close; the sender, who hears nothing, stays."""
    time = [0.0]
    async with limited(installed, time, monkeypatch) as site, site.client() as sender, site.client() as hearer:
        await sender.join("realtime:a")
        await hearer.join("realtime:a")
        site.realtime.quotas.messages.add(500)
        time[0] += 5
        await sender.send("realtime:a", "broadcast", {"type": "broadcast", "event": "e", "payload": {}}, "2", "1")
        heard = [await hearer.receive() for _ in range(3)]
        assert [frame.event for frame in heard] == ["broadcast", "system", "phx_close"]
        assert heard[1].payload == {
            "channel": "a",
            "extension": "system",
            "message": "Too many messages per second",
            "status": "error",
        }
        await sender.heartbeat()


async def test_changes_over_the_quota_are_skipped_silently(
    installed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client sees nothing of them; they are counted. When the rate has fallen, changes come again."""
    time = [0.0]
    async with limited(installed, time, monkeypatch) as site, site.client() as client:
        one, other = await site.users(2)
        await client.subscribe("realtime:a", sessions_of(one), token=site.token(one))
        site.realtime.quotas.changes.add(500)
        time[0] += 5
        await site.session(one, other)
        while not site.realtime.quotas.changes_skipped:
            await client.heartbeat()
        time[0] += 60
        shown = await site.session(one, other)
        assert (await changes(client, 1))[0].payload["data"]["record"]["id"] == str(shown)


def test_connections_elsewhere_count() -> None:
    """The ceiling is that of all instances together."""
    elsewhere = [1]
    quotas = Quotas(SMALL, lambda: 0.0, lambda: elsewhere[0])
    assert quotas.admit(1, 0) is None
    quotas.joined(1)
    assert quotas.admit(1, 1) is None
    assert quotas.admit(2, 0) == "ConnectionRateLimitReached: Too many connected users"
    elsewhere[0] = 0
    assert quotas.admit(2, 0) is None


def test_a_refused_join_counts_where_the_real_server_counts_it() -> None:
    """A join beyond the connections is not counted as a join; one beyond the channels is."""
    time = [0.0]
    quotas = Quotas(replace(SMALL, joins_per_second=1), lambda: time[0])
    for _ in range(5):
        assert quotas.admit(1, 2) == "ChannelRateLimitReached: Too many channels"
    time[0] += 5
    with pytest.raises(JoinFlood):
        quotas.admit(1, 0)
