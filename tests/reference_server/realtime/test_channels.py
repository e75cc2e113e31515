"""Channels over a real server: joining, pushing, leaving, and the tokens they speak with (PROTOCOL 1.3 to 1.7)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from reference_server.db import Database
from reference_server.settings import Settings
from tests.reference_server.realtime.conftest import (
    FOREIGN,
    VERSIONS,
    Site,
    changes,
    record,
    running_site,
    sessions_of,
)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_join_is_answered_and_then_subscribed(site: Site, version: str) -> None:
    """First the reply with each binding verbatim and its id, in order; later `system` ok; then the changes."""
    one, other = await site.users(2)
    topic = f"realtime:matchmaking:{one}"
    bindings = [sessions_of(one), {**sessions_of(one, column="user2_id"), "select": ["id"]}]
    async with site.client(version) as client:
        reply = await client.join(topic, *bindings, token=site.token(one), ref="6")
        listed = reply.payload["response"].pop("postgres_changes")
        assert (reply.topic, reply.event, reply.ref) == (topic, "phx_reply", "6")
        assert reply.payload == {"status": "ok", "response": {}}
        assert [{key: value for key, value in params.items() if key != "id"} for params in listed] == bindings
        assert all(0 <= params["id"] < 2**27 for params in listed)
        system = await client.receive()
        assert (system.topic, system.event, system.ref) == (topic, "system", None)
        assert system.payload == {
            "channel": f"matchmaking:{one}",
            "extension": "postgres_changes",
            "message": "Subscribed to PostgreSQL",
            "status": "ok",
        }
        if version == "2.0.0":
            assert (reply.join_ref, system.join_ref) == ("6", "6")
        await site.session(one, other)
        (frame,) = await changes(client, 1)
        assert frame.payload["ids"] == [listed[0]["id"]]


async def test_a_join_without_bindings_is_answered_alone(site: Site) -> None:
    """No database subscription, no `system` message; the list in the reply is empty."""
    async with site.client() as client:
        reply = await client.join("realtime:matching")
        assert reply.payload == {"status": "ok", "response": {"postgres_changes": []}}
        await client.send("phoenix", "heartbeat", {}, "2")
        assert (await client.receive()).topic == "phoenix"


async def test_presence_gets_its_state(site: Site) -> None:
    """A client that enables presence waits for presence_state before it is ready."""
    async with site.client() as client:
        await client.join("realtime:room", presence={"key": "", "enabled": "true"})
        state = await client.receive()
        assert (state.event, state.payload, state.join_ref) == ("presence_state", {}, "1")


@pytest.mark.parametrize(
    ("topic", "config", "reason"),
    [
        ("realtime:", {}, "TopicNameRequired: You must provide a topic name"),
        ("elsewhere:x", {}, "unmatched topic"),
        (
            "realtime:room",
            {"private": True},
            "Unauthorized: You do not have permissions to read from this Channel topic: room",
        ),
    ],
)
async def test_joins_that_are_refused(site: Site, topic: str, config: dict[str, Any], reason: str) -> None:
    """A refused join is an error reply with its reason, and the socket goes on."""
    async with site.client() as client:
        reply = await client.join(topic, **config)
        assert reply.payload == {"status": "error", "response": {"reason": reason}}
        assert (await client.join("realtime:room")).payload["status"] == "ok"


async def test_joins_with_bad_tokens_are_refused(site: Site) -> None:
    """PROTOCOL 1.7: an expired, a foreign and a malformed token each have their reason."""
    user = uuid4()
    foreign = FOREIGN.sign({"role": "anon", "exp": 9e9})
    tokens = [site.token(user, lasts=-7), foreign, "no token", site.token(user, role="")]
    async with site.client() as client:
        replies = [await client.join("realtime:room", token=token) for token in tokens]
    reasons = [reply.payload["response"]["reason"] for reply in replies]
    assert reasons[0].startswith("InvalidJWTToken: Token has expired ")
    assert reasons[1:] == [
        "JwtSignatureError: Failed to validate JWT signature",
        "MalformedJWT: The token provided is not a valid JWT",
        "InvalidJWTToken: Fields `role` and `exp` are required in JWT",
    ]


async def test_the_subscription_window_is_a_setting(installed: Database) -> None:
    """What is committed between the join's reply and the database subscription is lost, as with the real server."""
    async with running_site(installed, Settings(subscribe_delay=0.3, replay_window=0)) as site:
        one, other = await site.users(2)
        async with site.client() as client:
            await client.join(f"realtime:m:{one}", sessions_of(one), token=site.token(one))
            await site.session(one, other)
            assert (await client.receive()).event == "system"
            kept = await site.session(one, other)
            (frame,) = await changes(client, 1)
            assert record(frame)["id"] == str(kept)


@pytest.mark.parametrize("version", VERSIONS)
async def test_heartbeats_are_answered(site: Site, version: str) -> None:
    """With the same ref, a null one included (supabase-py)."""
    async with site.client(version) as client:
        for ref in ("8", None):
            await client.send("phoenix", "heartbeat", {}, ref)
            reply = await client.receive()
            assert (reply.topic, reply.event, reply.ref) == ("phoenix", "phx_reply", ref)
            assert reply.payload == {"status": "ok", "response": {}}


@pytest.mark.parametrize("version", VERSIONS)
async def test_frames_that_cannot_be_read_are_dropped(site: Site, version: str) -> None:
    """Garbage, wrong shapes, binary and unknown events get no answer, and the socket stays open."""
    async with site.client(version) as client:
        await client.join("realtime:room")
        for garbage in ("", "{", "[]", "{}", "null", '"x"', b"\x03\xff", b"", "[1,2,3,4,5]"):
            await client.socket.send(garbage)
        await client.send("realtime:room", "no such event", {})
        await client.send("phoenix", "heartbeat", {}, "9")
        assert (await client.receive()).ref == "9"


async def test_leaving(site: Site) -> None:
    """The reply, then phx_close with the join's ref; nothing comes afterwards. What was never joined is left, too."""
    one, other = await site.users(2)
    topic = f"realtime:m:{one}"
    async with site.client() as client, site.client() as witness:
        await client.subscribe(topic, sessions_of(one), token=site.token(one))
        await witness.subscribe(topic, sessions_of(one), token=site.token(one))
        await client.send(topic, "phx_leave", {}, "2", "1")
        assert (await client.receive()).raw == ["1", "2", topic, "phx_reply", {"status": "ok", "response": {}}]
        assert (await client.receive()).raw == ["1", "1", topic, "phx_close", {}]
        await site.session(one, other)
        await changes(witness, 1)
        await client.send("realtime:never", "phx_leave", {}, "3")
        left = await client.receive()
        assert (left.ref, left.payload["status"]) == ("3", "ok")


async def test_a_second_join_replaces_the_first(site: Site) -> None:
    """The old instance is closed with the OLD join_ref; then the new one is answered, and told of changes once."""
    one, other = await site.users(2)
    topic = f"realtime:m:{one}"
    async with site.client() as client:
        await client.subscribe(topic, sessions_of(one), token=site.token(one))
        payload = {"config": {"postgres_changes": [sessions_of(one)]}, "access_token": site.token(one)}
        await client.send(topic, "phx_join", payload, "7", "7")
        assert (await client.receive()).raw == ["1", "1", topic, "phx_close", {}]
        reply = await client.receive()
        assert (reply.join_ref, reply.ref, reply.event) == ("7", "7", "phx_reply")
        assert (await client.receive()).event == "system"
        await site.session(one, other)
        await changes(client, 1)
        await client.send("phoenix", "heartbeat", {}, "8")
        assert (await client.receive()).ref == "8"


async def test_a_push_to_a_topic_that_is_not_joined_is_an_error(site: Site) -> None:
    """PROTOCOL 1.6: unmatched topic."""
    async with site.client() as client:
        await client.send("realtime:room", "broadcast", {}, "2")
        assert (await client.receive()).payload == {"status": "error", "response": {"reason": "unmatched topic"}}


async def test_broadcasts(site: Site) -> None:
    """Others on the topic hear it in their version; the sender only with `self`, and a reply only with `ack`."""
    message = {"type": "broadcast", "event": "match_found", "payload": {"sessionId": "s1"}}
    async with site.client() as sender, site.client("1.0.0") as listener, site.client() as elsewhere:
        await sender.join("realtime:matching", broadcast={"ack": True, "self": True})
        await listener.join("realtime:matching")
        await elsewhere.join("realtime:other")
        await sender.send("realtime:matching", "broadcast", message, "5", "1")
        heard = await listener.receive()
        assert heard.raw == {"topic": "realtime:matching", "event": "broadcast", "payload": message, "ref": None}
        assert (await sender.receive()).raw == [None, None, "realtime:matching", "broadcast", message]
        assert (await sender.receive()).payload == {"status": "ok", "response": {}}
        await listener.send("realtime:matching", "broadcast", message)
        assert (await sender.receive()).payload == message
        site.realtime.broadcast("matching", "match_found", {"sessionId": "s2"})
        assert (await listener.receive()).payload["payload"] == {"sessionId": "s2"}
        await elsewhere.send("phoenix", "heartbeat", {}, "2")
        assert (await elsewhere.receive()).topic == "phoenix"


async def test_a_new_token_changes_who_is_asked_for(site: Site) -> None:
    """access_token has no reply; the subscription is made anew, and from then on the new user's rows come."""
    one, other = await site.users(2)
    everything = {"event": "INSERT", "schema": "public", "table": "chat_sessions"}
    topic = "realtime:x"
    async with site.client() as client, site.client() as witness:
        await client.subscribe(topic, everything)
        await witness.subscribe(topic, everything, token=site.token(one))
        hidden = await site.session(one, other)
        await changes(witness, 1)
        for ignored in (None, "sb_publishable_x", site.key):
            await client.send(topic, "access_token", {"access_token": ignored}, "2", "1")
        await client.send(topic, "access_token", {"access_token": site.token(one)}, "3", "1")
        assert (await client.receive()).payload["message"] == "Subscribed to PostgreSQL"
        shown = await site.session(other, one)
        (frame,) = await changes(client, 1)
        assert record(frame)["id"] == str(shown) != str(hidden)


async def test_a_token_that_expires_on_an_open_socket_closes_its_channel(site: Site) -> None:
    """The system error, then phx_close; other channels of the socket go on."""
    (user,) = await site.users(1)
    async with site.client() as client:
        await client.join("realtime:lasting", ref="1")
        await client.join("realtime:brief", token=site.token(user, lasts=0.2), ref="2")
        error, closed = await client.receive(), await client.receive()
        assert (error.topic, error.event, error.payload["status"]) == ("realtime:brief", "system", "error")
        assert error.payload["message"] == "Token has expired 0 seconds ago"
        assert closed.raw == ["2", "2", "realtime:brief", "phx_close", {}]
        await client.send("realtime:lasting", "phx_leave", {}, "3", "1")
        assert (await client.receive()).payload["status"] == "ok"


async def test_a_pushed_token_that_has_expired_closes_its_channel(site: Site) -> None:
    """PROTOCOL 1.6: "Token has expired N seconds ago", then phx_close."""
    (user,) = await site.users(1)
    async with site.client() as client:
        await client.join("realtime:x", token=site.token(user))
        await client.send("realtime:x", "access_token", {"access_token": site.token(user, lasts=-5)}, "2", "1")
        error, closed = await client.receive(), await client.receive()
        assert error.payload["message"] in {"Token has expired 5 seconds ago", "Token has expired 6 seconds ago"}
        assert closed.event == "phx_close"
