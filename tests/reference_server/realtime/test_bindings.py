"""Bindings over the wire: selected columns, what a role may not read, rows that are too large, and every refusal."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.reference_server.pieces import SLOW
from tests.reference_server.realtime.conftest import Site, changes, record, sessions_of

UNABLE = "Unable to subscribe to changes with given parameters."
EXCEPTION = f"{UNABLE} An exception happened so please check your connect parameters:"


async def test_selected_columns_alone_come(site: Site) -> None:
    """`select`: record and columns have these alone; two bindings of one channel that differ in it get frames apart."""
    one, other = await site.users(2)
    some = {**sessions_of(one), "select": ["status", "id"]}
    async with site.client() as client:
        await client.subscribe("realtime:x", some, sessions_of(one), token=site.token(one))
        session = await site.session(one, other)
        short, whole = (frame.payload["data"] for frame in await changes(client, 2))
        assert short["record"] == {"id": str(session), "status": "active"}
        assert [column["name"] for column in short["columns"]] == ["id", "status"]
        assert len(whole["record"]) > 2


async def test_a_row_that_is_too_large_is_told_by_its_short_fields(site: Site) -> None:
    """Over 1 MiB: fields of at most 64 bytes, no nulls, and error 413."""
    one, other = await site.users(2)
    session = await site.session(one, other)
    binding = {"event": "INSERT", "schema": "public", "table": "messages", "filter": f"session_id=eq.{session}"}
    insert = "insert into messages (session_id, sender_id, content) values ($1, $2, $3)"
    async with site.client() as client:
        await client.subscribe("realtime:x", binding, token=site.token(other))
        await site.execute(insert, session, one, "x" * 1_100_000)
        (frame,) = await changes(client, 1)
        data = frame.payload["data"]
        assert data["errors"] == ["Error 413: Payload Too Large"]
        assert (data["record"]["session_id"], data["record"]["is_flagged"]) == (str(session), False)
        assert not {"content", "file_url"} & data["record"].keys()


async def test_columns_and_rows_that_a_role_may_not_read(site: Site) -> None:
    """Without SELECT on the key: error 401 and nothing of the row; without it on a column: the row without that one."""
    await site.execute(
        "create table public.hidden (id int primary key, open text, secret text);"
        "grant select (open) on public.hidden to anon; grant select (id, open) on public.hidden to authenticated;"
        "alter publication supabase_realtime add table public.hidden"
    )
    (user,) = await site.users(1)
    binding = {"event": "INSERT", "schema": "public", "table": "hidden"}
    try:
        async with site.client() as anon, site.client() as known:
            await anon.subscribe("realtime:x", binding)
            await known.subscribe("realtime:x", binding, token=site.token(user))
            await site.execute("insert into public.hidden values (1, 'a', 'b')")
            data = (await changes(anon, 1))[0].payload["data"]
            assert (data["errors"], "record" in data) == (["Error 401: Unauthorized"], False)
            data = (await changes(known, 1))[0].payload["data"]
            assert (data["record"], data["errors"]) == ({"id": 1, "open": "a"}, None)
            await site.execute("grant select on public.hidden to anon")
            await site.execute("insert into public.hidden values (2, 'a', 'b')")
            assert record((await changes(anon, 1))[0]) == {"id": 2, "open": "a", "secret": "b"}
    finally:
        await site.execute("drop table public.hidden")


@pytest.mark.parametrize(
    ("filter_text", "told"),
    [
        ("match_mode=like.glob%", True),
        ("match_mode=not.ilike.BUDD%", True),
        ("match_mode=match.^g[a-z]+l$", True),
        ("match_mode=imatch.^G", True),
        ("match_mode=not.match.glob", False),
        ("match_mode=isdistinct.buddies_first", True),
        ("preferences=is.null,match_mode=eq.global", True),
        ("preferences=not.is.null", False),
        ("match_mode=gt.c,match_mode=lt.h", True),
        ("match_mode=gt.c,match_mode=lt.d", False),
    ],
)
async def test_the_newer_filters(site: Site, filter_text: str, told: bool) -> None:
    """Each passes the row or not: the frame, which comes for the wide binding, names those that match."""
    (user,) = await site.users(1)
    wide = {"event": "INSERT", "schema": "public", "table": "waiting_queue"}
    async with site.client() as client:
        reply = await client.subscribe("realtime:q", wide, {**wide, "filter": filter_text}, token=site.token(user))
        ids = [params["id"] for params in reply.payload["response"]["postgres_changes"]]
        await site.execute("insert into waiting_queue (user_id, match_mode) values ($1, 'global')", user)
        (frame,) = await changes(client, 1)
        await site.execute("delete from waiting_queue")
    assert sorted(frame.payload["ids"]) == sorted(ids if told else ids[:1])


async def test_an_expression_that_takes_long_holds_up_nobody(site: Site) -> None:
    """Its channel is refused after a while; one without expressions that comes after it is subscribed before that."""
    (user,) = await site.users(1)
    site.realtime._binder._lines[True].patience = 3.0  # more than the other one needs, also on a slow machine
    messages = {"event": "INSERT", "schema": "public", "table": "messages"}
    slow = [{**messages, "filter": f'content=match."{SLOW}{number}"'} for number in range(30)]
    async with site.client() as client, site.client() as other:
        assert (await client.join("realtime:slow", *slow)).payload["status"] == "ok"
        refusal = asyncio.create_task(client.receive())
        await other.subscribe("realtime:quick", sessions_of(user), token=site.token(user))
        assert not refusal.done()
        said = (await refusal).payload
    assert (said["status"], said["extension"]) == ("error", "postgres_changes")
    assert said["message"].startswith(EXCEPTION)
    assert said["message"].endswith("Exception: canceling statement due to statement timeout")


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ({"table": "messages", "filter": "is_flagged=like.x%"}, "operator does not exist: boolean ~~ "),
        (
            {"table": "messages", "filter": "content=match.(("},
            "invalid regular expression: parentheses () not balanced",
        ),
        ({"table": "messages", "filter": "content=is.true"}, "argument of IS TRUE must be type boolean, not type text"),
        ({"table": "messages", "select": ["nope"]}, "invalid column for select nope"),
    ],
)
async def test_what_a_column_does_not_take(site: Site, binding: dict[str, Any], message: str) -> None:
    """PostgreSQL's own words end the message."""
    params = {"event": "INSERT", "schema": "public", **binding}
    async with site.client() as client:
        assert (await client.join("realtime:x", params)).payload["status"] == "ok"
        said = (await client.receive()).payload["message"]
    assert said.startswith(EXCEPTION)
    assert message in said


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        (
            {"event": "*"},
            "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to:",
        ),
        (
            {"schema": "public", "filter": "id=eq.1"},
            "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to:",
        ),
        (
            {"table": "messages", "select": "id"},
            'Error parsing `select` params: expected a list of column name strings, e.g. select: ["col1", "col2"]',
        ),
        (
            {"schema": "public", "select": ["id"]},
            "Column selection is not supported for wildcard subscriptions. Provide an explicit schema and table name.",
        ),
    ],
)
async def test_parameters_that_cannot_be_read(site: Site, binding: dict[str, Any], message: str) -> None:
    """The join succeeds; a `system` message says what is wrong (PROTOCOL 1.4)."""
    async with site.client() as client:
        assert (await client.join("realtime:x", binding)).payload["status"] == "ok"
        system = (await client.receive()).payload
    assert (system["status"], system["message"].startswith(message)) == ("error", True), system


async def test_every_schema_may_be_asked_for(site: Site) -> None:
    """schema `*`: whatever is published."""
    one, other = await site.users(2)
    async with site.client() as client:
        binding = {"event": "*", "schema": "*", "table": "chat_sessions"}
        await client.subscribe("realtime:x", binding, token=site.token(one))
        session = await site.session(one, other)
        assert record((await changes(client, 1))[0])["id"] == str(session)
