"""The Realtime wire over a real server and a real PostgreSQL: who is told what, and in which form."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from reference_server.auth import TokenSigner
from reference_server.db import Database
from reference_server.settings import Settings
from tests.reference_server.realtime.conftest import PATIENCE, Client, Frame, Site, running_site, sessions_of

VERSIONS = ["1.0.0", "2.0.0"]
FOREIGN = TokenSigner("another secret of at least 32 characters")
UNABLE = "Unable to subscribe to changes with given parameters."
NOT_ENABLED = f"{UNABLE} Please check Realtime is enabled for the given connect parameters:"
EXCEPTION = f"{UNABLE} An exception happened so please check your connect parameters:"


async def changes(client: Client, count: int) -> list[Frame]:
    """The next frames, which must be changes."""
    frames = [await client.receive() for _ in range(count)]
    assert [frame.event for frame in frames] == ["postgres_changes"] * count, frames
    return frames


def record(frame: Frame) -> Any:
    return frame.payload["data"].get("record") or frame.payload["data"]["old_record"]


# ---------------------------------------------------------------- join


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
    async with running_site(installed, Settings(subscribe_delay=0.3)) as site:
        one, other = await site.users(2)
        async with site.client() as client:
            await client.join(f"realtime:m:{one}", sessions_of(one), token=site.token(one))
            await site.session(one, other)
            assert (await client.receive()).event == "system"
            kept = await site.session(one, other)
            (frame,) = await changes(client, 1)
            assert record(frame)["id"] == str(kept)


# ---------------------------------------------------------------- changes


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_insert_by_anyone_reaches_the_member(site: Site, version: str) -> None:
    """A row written past the server, as psql does, arrives in the shape of PROTOCOL 1.5, with to_jsonb's values."""
    one, other = await site.users(2)
    async with site.client(version) as client:
        reply = await client.subscribe(f"realtime:m:{one}", sessions_of(one), token=site.token(one))
        session = await site.session(one, other)
        (frame,) = await changes(client, 1)
    data = frame.payload["data"]
    assert (frame.ref, frame.join_ref) == (None, None)
    assert set(frame.payload) == {"ids", "data"}
    assert frame.payload["ids"] == [reply.payload["response"]["postgres_changes"][0]["id"]]
    assert set(data) == {"schema", "table", "type", "commit_timestamp", "columns", "record", "errors"}
    assert (data["schema"], data["table"], data["type"], data["errors"]) == ("public", "chat_sessions", "INSERT", None)
    async with site.database.connection() as connection:
        row = await connection.fetchval("select to_jsonb(s)::text from chat_sessions s where id = $1", session)
        described = await connection.fetch(
            """select attname::text, typname::text from pg_attribute a join pg_type t on t.oid = atttypid
                where attrelid = 'chat_sessions'::regclass and attnum > 0 order by attnum"""
        )
    assert data["record"] == orjson.loads(row)
    assert data["columns"] == [{"name": name, "type": kind} for name, kind in described]


async def test_a_stranger_is_never_told(site: Site) -> None:
    """Row-level security decides at delivery: both members see their session, a stranger and the anonymous do not.

    Their first frame is that of the DELETE, which is not checked and shows the key alone (PROTOCOL 1.5): so the INSERT
    was not merely late.
    """
    one, other, stranger = await site.users(3)
    tokens = [site.token(one), site.token(other), site.token(stranger), None]
    everything = {"event": "*", "schema": "public", "table": "chat_sessions"}
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(site.client()) for _ in tokens]
        for client, token in zip(clients, tokens, strict=True):
            await client.subscribe("realtime:x", everything, token=token)
        session = await site.session(one, other)
        for member in clients[:2]:
            (frame,) = await changes(member, 1)
            assert record(frame)["id"] == str(session)
        await site.execute("delete from chat_sessions where id = $1", session)
        for client in clients:
            (frame,) = await changes(client, 1)
            assert (frame.payload["data"]["type"], record(frame)) == ("DELETE", {"id": str(session)})


async def test_a_message_reaches_the_partner_in_order(site: Site) -> None:
    """Messages of a session come to both members, in the order of their commits, and to no stranger."""
    one, other, stranger = await site.users(3)
    session = await site.session(one, other)
    binding = {"event": "INSERT", "schema": "public", "table": "messages", "filter": f"session_id=eq.{session}"}
    wide = {"event": "*", "schema": "public", "table": "messages"}
    insert = "insert into messages (session_id, sender_id, content) values ($1, $2, $3)"
    contents = [f'{{"type": "ice-candidate", "n": {n}, "pad": "{"x" * 9000}"}}' for n in range(20)]
    async with site.client() as partner, site.client("1.0.0") as outsider:
        await partner.subscribe(f"realtime:session:{session}", binding, token=site.token(other))
        await outsider.subscribe(f"realtime:session:{session}", binding, wide, token=site.token(stranger))
        for content in contents:
            await site.execute(insert, session, one, content)
        assert [record(frame)["content"] for frame in await changes(partner, 20)] == contents
        await site.execute("delete from messages where session_id = $1", session)
        assert [frame.payload["data"]["type"] for frame in await changes(outsider, 20)] == ["DELETE"] * 20


async def test_updates_and_deletes(site: Site) -> None:
    """UPDATE has record and, as old_record, the key; DELETE the key alone, so that only filters on the key match it."""
    one, other = await site.users(2)
    session = await site.session(one, other)
    by_id = {"event": "*", "schema": "public", "table": "chat_sessions", "filter": f"id=eq.{session}"}
    async with site.client() as client, site.client() as by_member:
        await client.subscribe(f"realtime:session:{session}", by_id, token=site.token(one))
        await by_member.subscribe(f"realtime:m:{one}", sessions_of(one, "*"), token=site.token(one))
        await site.execute("update chat_sessions set status = 'ended', ended_by = $2 where id = $1", session, one)
        (updated,) = await changes(client, 1)
        data = updated.payload["data"]
        assert (data["type"], data["old_record"]) == ("UPDATE", {"id": str(session)})
        assert (data["record"]["status"], data["record"]["ended_by"]) == ("ended", str(one))
        await site.execute("delete from chat_sessions where id = $1", session)
        (deleted,) = await changes(client, 1)
        assert (deleted.payload["data"]["type"], record(deleted)) == ("DELETE", {"id": str(session)})
        again = await site.session(one, other)
        seen = await changes(by_member, 2)
        assert [(frame.payload["data"]["type"], record(frame)["id"]) for frame in seen] == [
            ("UPDATE", str(session)),
            ("INSERT", str(again)),
        ]


@pytest.mark.parametrize(
    "filter_text",
    ["match_mode=eq.global", "match_mode=neq.buddies_first", "match_mode=in.(global, other)", "match_mode=gt.c", None],
)
async def test_filters_let_through_what_they_say(site: Site, filter_text: str | None) -> None:
    """Each operator passes the row that it must, and the row that it must not pass never comes."""
    (user,) = await site.users(1)
    binding = {"event": "INSERT", "schema": "public", "table": "waiting_queue", "filter": filter_text}
    insert = "insert into waiting_queue (user_id, match_mode) values ($1, $2)"
    async with site.client() as client:
        await client.subscribe("realtime:q", binding, token=site.token(user))
        await site.execute(insert, user, "buddies_first")
        if filter_text is None:
            assert record((await changes(client, 1))[0])["match_mode"] == "buddies_first"
        await site.execute("delete from waiting_queue")
        await site.execute(insert, user, "global")
        assert record((await changes(client, 1))[0])["match_mode"] == "global"


async def test_filters_compare_in_the_columns_type(site: Site) -> None:
    """A value is cast to its column's type before it is compared: `T` is true, and case does not matter in a uuid."""
    one, other = await site.users(2)
    session = await site.session(one, other)
    flagged = {"event": "INSERT", "schema": "public", "table": "messages", "filter": "is_flagged=eq.TRUE"}
    upper = {"event": "INSERT", "schema": "public", "table": "messages", "filter": f"sender_id=eq.{str(one).upper()}"}
    insert = "insert into messages (session_id, sender_id, is_flagged) values ($1, $2, $3)"
    async with site.client() as client:
        reply = await client.subscribe("realtime:m", flagged, upper, token=site.token(one))
        ids = [params["id"] for params in reply.payload["response"]["postgres_changes"]]
        await site.execute(insert, session, one, False)
        await site.execute(insert, session, other, True)
        assert [frame.payload["ids"] for frame in await changes(client, 2)] == [[ids[1]], [ids[0]]]


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ({"table": "chat_sessions", "filter": "undefined"}, 'Error parsing `filter` params: ["undefined"]'),
        (
            {"table": "profiles"},
            f"{NOT_ENABLED} [event: INSERT, schema: public, table: profiles, filters: [], select: nil]",
        ),
        (
            {"table": "chat_sessions", "filter": "nope=eq.1"},
            EXCEPTION + ' [event: INSERT, schema: public, table: chat_sessions, filters: [{"nope", "eq", "1"}], '
            "select: nil]. Exception: invalid column for filter nope",
        ),
        (
            {"table": "chat_sessions", "filter": "id=eq.undefined"},
            EXCEPTION + ' [event: INSERT, schema: public, table: chat_sessions, filters: [{"id", "eq", "undefined"}], '
            'select: nil]. Exception: invalid input syntax for type uuid: "undefined"',
        ),
    ],
    ids=["unparsable", "not published", "no such column", "not of its type"],
)
async def test_a_subscription_that_cannot_be_made_is_told(site: Site, binding: dict[str, str], message: str) -> None:
    """The join succeeds all the same; the reason comes as a `system` message with status error (PROTOCOL 1.4)."""
    params = {"event": "INSERT", "schema": "public", **binding}
    async with site.client() as client:
        reply = await client.join("realtime:x", params)
        assert reply.payload["status"] == "ok"
        system = await client.receive()
    assert system.payload == {
        "channel": "x",
        "extension": "postgres_changes",
        "message": message,
        "status": "error",
    }


async def test_input_that_postgresql_cannot_take_costs_only_its_own_channel(site: Site) -> None:
    """A NUL in a filter makes PostgreSQL refuse the whole check: others who ask at that moment are served."""
    (user,) = await site.users(1)
    poisoned = {"event": "*", "schema": "public", "table": "messages", "filter": "content=eq.\0"}
    async with site.client() as bad, site.client() as good:
        await bad.send("realtime:x", "phx_join", {"config": {"postgres_changes": [poisoned]}}, "1", "1")
        await good.subscribe("realtime:y", sessions_of(user), token=site.token(user))
        assert (await bad.receive()).payload["status"] == "ok"
        assert (await bad.receive()).payload["status"] == "error"


# ---------------------------------------------------------------- other pushes


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


# ---------------------------------------------------------------- tokens


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


# ---------------------------------------------------------------- sockets


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("", 401, "API key is missing"),
        ("apikey=nonsense", 401, "The token provided is not a valid JWT"),
        ("apikey={expired}", 401, "Token has expired"),
        ("apikey={foreign}", 401, "Failed to validate JWT signature"),
        ("apikey={key}&vsn=9.9.9", 400, "vsn '9.9.9' is not served, only 1.0.0 and 2.0.0"),
    ],
)
async def test_upgrades_that_are_refused(site: Site, query: str, status: int, error: str) -> None:
    """An HTTP answer with {"error": …} (PROTOCOL 1.1)."""
    foreign = FOREIGN.sign({"role": "anon", "exp": 9e9})
    filled = query.format(key=site.key, foreign=foreign, expired=site.token(uuid4(), lasts=-1))
    with pytest.raises(InvalidStatus) as raised:
        await connect(f"ws://127.0.0.1:{site.port}/realtime/v1/websocket?{filled}", compression=None)
    response = raised.value.response
    assert (response.status_code, orjson.loads(response.body)) == (status, {"error": error})
    assert response.headers["content-type"].startswith("application/json")


async def test_the_header_wins_over_the_parameter(site: Site) -> None:
    """`x-api-key` is taken before `apikey`, and without vsn the socket speaks 1.0.0."""
    url = site.url(version=None, apikey="nonsense")
    async with connect(url, additional_headers={"x-api-key": site.key}, compression=None) as opened:
        client = Client(opened, "1.0.0")
        await client.send("phoenix", "heartbeat", {}, "1")
        assert (await client.receive()).ref == "1"


async def test_signs_of_life_are_passed_on(site: Site) -> None:
    """A join with a user's token opens his socket once, each later frame is a sign, and the end closes it."""
    (user,) = await site.users(1)
    async with site.client() as client:
        await client.join("realtime:a", token=site.token(user))
        await client.join("realtime:b", token=site.token(user), ref="2")
        await client.join("realtime:c", ref="3")
        assert [who for who, _socket in site.watch.opened] == [user]
        assert site.watch.signs == [user, user]
        assert site.realtime.sockets == 1
    await asyncio.wait_for(site.watch.gone.wait(), PATIENCE)
    assert site.watch.closed == site.watch.opened
    assert site.realtime.sockets == 0


async def test_stopping_closes_sockets_and_may_be_done_twice(site: Site) -> None:
    """The server leaves with close code 1001, and a second stop does nothing."""
    async with site.client() as client:
        await client.join("realtime:a")
        await asyncio.gather(site.realtime.stop(), client.socket.wait_closed())
        await site.realtime.stop()
        assert client.socket.close_code == 1001
