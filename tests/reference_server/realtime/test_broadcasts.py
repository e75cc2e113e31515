"""Broadcasts: from sockets in both versions, binary ones, over HTTP, and from the server itself (PROTOCOL 1.2, 1.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from reference_server.db import Database
from reference_server.realtime.frames import Malformed, decode
from reference_server.settings import Settings
from tests.reference_server.realtime.conftest import PROMPT, Client, Site, running_site

TOPIC = "realtime:matching"
JOIN = {"ack": True, "self": False}


def pushed(ref: str, event: str, payload: bytes, encoding: int, meta: bytes = b"", topic: str = TOPIC) -> bytes:
    """A binary broadcast as the JavaScript client writes it (kind 3)."""
    parts = [b"1", ref.encode(), topic.encode(), event.encode(), meta]
    return bytes([3, *map(len, parts), encoding]) + b"".join(parts) + payload


def told(event: str, payload: bytes, encoding: int, meta: bytes = b"") -> bytes:
    """A binary broadcast as it must reach the client (kind 4)."""
    parts = [TOPIC.encode(), event.encode(), meta]
    return bytes([4, *map(len, parts), encoding]) + b"".join(parts) + payload


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def members(site: Site, *clients: Client) -> None:
    for client in clients:
        assert (await client.join(TOPIC, broadcast=JOIN)).payload["status"] == "ok"


async def test_the_captured_binary_push_is_read() -> None:
    """The very bytes that the JavaScript client was seen to send."""
    captured = bytes.fromhex("03 01 02 11 0b 00 01") + b"910realtime:matchingmatch_found" + b'{"sessionId":"s1"}'
    push = decode("2.0.0", captured)
    assert (push.join_ref, push.ref, push.topic, push.event) == ("9", "10", TOPIC, "broadcast")
    assert (push.payload.event, push.payload.payload, push.payload.json) == ("match_found", b'{"sessionId":"s1"}', True)


@pytest.mark.parametrize(
    "data",
    [
        b"\x03",
        bytes([3, 1, 1, 1, 1, 1, 2]) + b"12345",
        bytes([3, 9, 9, 9, 9, 9, 1]) + b"123",
        bytes([3, 0, 0, 1, 1, 0, 1]) + b"te{",
        bytes([3, 0, 0, 1, 1, 0, 0]) + b"\xff\xff",
        bytes([4, 0, 0, 0, 0]),
    ],
    ids=["head cut short", "unknown encoding", "names cut short", "no JSON", "no UTF-8", "a kind that is only sent"],
)
def test_binary_frames_that_cannot_be_read(data: bytes) -> None:
    """They are refused as malformed; version 1.0.0 knows none at all."""
    for version in ("1.0.0", "2.0.0"):
        with pytest.raises(Malformed):
            decode(version, data)  # type: ignore[arg-type]


async def test_a_binary_broadcast_reaches_each_version_in_its_form(site: Site) -> None:
    """JSON goes on in binary to 2.0.0 and as an object to 1.0.0; other bytes reach 2.0.0 alone. It is acknowledged."""
    async with site.client() as sender, site.client() as newer, site.client("1.0.0") as older:
        await members(site, sender, newer, older)
        await sender.socket.send(pushed("5", "x", b"\x00\xff", 0, meta=b"m"))
        assert await newer.receive_raw() == told("x", b"\x00\xff", 0)
        assert (await sender.receive()).raw == ["1", "5", TOPIC, "phx_reply", {"status": "ok", "response": {}}]
        await sender.socket.send(pushed("6", "match_found", b'{"sessionId": "s1"}', 1))
        assert await newer.receive_raw() == told("match_found", b'{"sessionId": "s1"}', 1)
        assert (await older.receive()).payload == {
            "type": "broadcast",
            "event": "match_found",
            "payload": {"sessionId": "s1"},
        }
        assert (await sender.receive()).ref == "6"


async def test_a_payload_that_is_too_large_is_refused_only_where_an_answer_is_wanted(installed: Database) -> None:
    """The free plan takes 256 KB: beyond it nothing is told, and only a channel with `ack` hears of it."""
    async with (
        running_site(installed, Settings(plan="free", **PROMPT)) as site,
        site.client() as sender,
        site.client() as quiet,
        site.client() as listener,
    ):
        await members(site, sender, listener)
        await quiet.join(TOPIC)
        for client in (sender, quiet):
            body = {"type": "broadcast", "event": "e", "payload": "x" * 256_600}
            await client.send(TOPIC, "broadcast", body, "5", "1")
        answer = await sender.receive()
        assert answer.payload == {"status": "error", "response": {"reason": "payload_size_exceeded"}}
        await quiet.heartbeat()
        await listener.heartbeat()
        await sender.socket.send(pushed("6", "e", b"x" * 250_000, 0))
        assert len(await listener.receive_raw()) > 250_000


async def test_the_server_itself_tells(site: Site) -> None:
    """`Realtime.broadcast`: what the application's join route does with `match_found` on the channel `matching`."""
    async with site.client() as newer, site.client("1.0.0") as older:
        await members(site, newer, older)
        site.realtime.broadcast("matching", "match_found", {"sessionId": "s", "userId": "u"})
        body = {"type": "broadcast", "event": "match_found", "payload": {"sessionId": "s", "userId": "u"}}
        assert (await newer.receive()).raw == [None, None, TOPIC, "broadcast", body]
        assert (await older.receive()).raw == {"topic": TOPIC, "event": "broadcast", "payload": body, "ref": None}


async def test_broadcasts_over_http(site: Site, http: aiohttp.ClientSession) -> None:
    """202 with an empty body, for a batch and for a single message; both arrive as text."""
    message = {"topic": "matching", "event": "match_found", "payload": {"n": 1}, "private": False}
    async with site.client() as client:
        await members(site, client)
        url = f"{site.http}?apikey={site.key}&vsn=2.0.0"
        async with http.post(url, json={"messages": [message, {**message, "id": "m2"}]}) as answer:
            assert (answer.status, await answer.read()) == (202, b"")
        assert (await client.receive()).payload == {"type": "broadcast", "event": "match_found", "payload": {"n": 1}}
        assert (await client.receive()).payload["meta"] == {"id": "m2"}
        headers = {"authorization": f"Bearer {site.key}"}
        async with http.post(f"{site.http}/matching/events/e", json={"n": 2}, headers=headers) as answer:
            assert answer.status == 202
        assert (await client.receive()).payload == {"type": "broadcast", "event": "e", "payload": {"n": 2}}
        await client.join("realtime:a/ü b", ref="2")
        async with http.post(
            URL(f"{site.http}/a%2F%C3%BC%20b/events/x%2Fy", encoded=True), json={}, headers=headers
        ) as a:
            assert a.status == 202
        assert ((heard := await client.receive()).topic, heard.payload["event"]) == ("realtime:a/ü b", "x/y")
        async with http.post(f"{site.http}/a/b/events/c", json={}, headers=headers) as a:
            assert a.status == 404
        headers["content-type"] = "application/octet-stream"
        async with http.post(f"{site.http}/matching/events/e", data=b"\x00\x01", headers=headers) as answer:
            assert answer.status == 202
        assert await client.receive_raw() == told("e", b"\x00\x01", 0)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"messages": ["can't be blank"]}),
        ({"messages": []}, {"messages": ["can't be blank"]}),
        ({"messages": "x"}, {"messages": ["is invalid"]}),
        ({"messages": [{"topic": "t"}]}, {"messages": [{"event": ["can't be blank"], "payload": ["can't be blank"]}]}),
        (
            {"messages": [{"topic": "t", "event": 1, "payload": {}, "private": "x"}]},
            {"messages": [{"event": ["is invalid"], "private": ["is invalid"]}]},
        ),
        ([], {"payload": ["is invalid"]}),
    ],
)
async def test_bodies_over_http_that_are_refused(
    site: Site, http: aiohttp.ClientSession, body: Any, errors: dict[str, Any]
) -> None:
    """422 and what is wrong with which field."""
    async with http.post(f"{site.http}?apikey={site.key}", json=body) as answer:
        assert (answer.status, await answer.json()) == (422, {"errors": errors})


async def test_what_could_not_be_told_is_refused(site: Site, http: aiohttp.ClientSession) -> None:
    """JSON that is nested deeper than it can be written is 422; a private topic that no policy can name is dropped."""
    deep = b'{"messages":[{"topic":"t","event":"e","payload":{"x":%b}}]}' % (b"[" * 400 + b"]" * 400)
    async with http.post(f"{site.http}?apikey={site.key}", data=deep) as answer:
        assert (answer.status, await answer.json()) == (422, {"errors": {"payload": ["is invalid"]}})
    message = {"topic": "\0", "event": "e", "payload": {"x": 1}, "private": True}
    async with http.post(f"{site.http}?apikey={site.key}", json={"messages": [message]}) as answer:
        assert answer.status == 202


async def test_names_that_no_binary_frame_carries_are_refused(site: Site, http: aiohttp.ClientSession) -> None:
    """Their lengths are one byte each on the wire: 255 bytes arrive, 256 are 422; as JSON they may be longer."""
    long, most = "e" * 300, "e" * 255
    async with site.client() as client:
        await members(site, client)
        binary = {"apikey": site.key, "content-type": "application/octet-stream"}
        for url, wrong in ((f"matching/events/{long}", "event"), (f"{long}/events/e", "topic")):
            async with http.post(f"{site.http}/{url}", data=b"\x00", headers=binary) as answer:
                errors = (await answer.json())["errors"]
                assert (answer.status, list(errors)) == (422, [wrong])
        async with http.post(f"{site.http}/matching/events/{most}", data=b"\x00", headers=binary) as answer:
            assert answer.status == 202
        async with http.post(f"{site.http}/matching/events/{long}", json={}, headers={"apikey": site.key}) as answer:
            assert answer.status == 202
        assert await client.receive_raw() == told(most, b"\x00", 0)
        assert (await client.receive()).payload["event"] == long


@pytest.mark.parametrize("query", ["", "?apikey=nonsense"])
async def test_callers_over_http_that_are_refused(site: Site, http: aiohttp.ClientSession, query: str) -> None:
    """401 without a good key."""
    async with http.post(site.http + query, json={"messages": []}) as answer:
        assert (answer.status, await answer.json()) == (401, {"message": "Unauthorized"})


async def test_too_many_messages_over_http(installed: Database, http: aiohttp.ClientSession) -> None:
    """429: a batch that would go over the plan's rate, and any message while it is exceeded."""
    time = [0.0]
    message = {"topic": "matching", "event": "e", "payload": {}}
    async with running_site(installed, Settings(plan="free", **PROMPT), lambda: time[0]) as site:
        url = f"{site.http}?apikey={site.key}"
        async with http.post(url, json={"messages": [message] * 101}) as answer:
            said = "Too many messages to broadcast, please reduce the batch size"
            assert (answer.status, await answer.json()) == (429, {"message": said})
        site.realtime.quotas.messages.add(600)
        time[0] += 5
        async with http.post(url, json={"messages": [message]}) as answer:
            assert (answer.status, await answer.json()) == (429, {"message": "You have exceeded your rate limit"})


async def test_many_listeners_hear_in_order(site: Site) -> None:
    """Broadcasts of one sender come to everybody in the order in which they were sent."""
    async with site.client() as sender, site.client() as one, site.client("1.0.0") as other:
        await members(site, sender, one, other)
        for number in range(100):
            await sender.send(TOPIC, "broadcast", {"type": "broadcast", "event": "n", "payload": {"n": number}})
        for client in (one, other):
            heard = await asyncio.gather(*(client.receive() for _ in range(1)))
            heard += [await client.receive() for _ in range(99)]
            assert [frame.payload["payload"]["n"] for frame in heard] == list(range(100))
