"""What the server does around its channels: upgrades, liveness, stopping, and the changes that it tells."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.reference_server.realtime.conftest import (
    FOREIGN,
    PATIENCE,
    VERSIONS,
    Client,
    Site,
    changes,
    record,
    sessions_of,
)

UNABLE = "Unable to subscribe to changes with given parameters."
NOT_ENABLED = f"{UNABLE} Please check Realtime is enabled for the given connect parameters:"
EXCEPTION = f"{UNABLE} An exception happened so please check your connect parameters:"


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
    [
        "match_mode=eq.global",
        "match_mode=neq.buddies_first",
        "match_mode=in.(global, other)",
        "match_mode=gt.c",
        "match_mode=like.glob%",
        "match_mode=not.ilike.BUDD%",
        "match_mode=match.^g[a-z]+l$",
        "match_mode=imatch.^G",
        "match_mode=not.match.bud",
        "match_mode=isdistinct.buddies_first",
        "preferences=is.null,match_mode=eq.global",
        "match_mode=gt.c,match_mode=lt.h",
        None,
    ],
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
            EXCEPTION + ' [event: INSERT, schema: public, table: chat_sessions, filters: [{"nope", "eq", "1", false}], '
            "select: nil]. Exception: invalid column for filter nope",
        ),
        (
            {"table": "chat_sessions", "filter": "id=eq.undefined"},
            EXCEPTION
            + ' [event: INSERT, schema: public, table: chat_sessions, filters: [{"id", "eq", "undefined", false}], '
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
