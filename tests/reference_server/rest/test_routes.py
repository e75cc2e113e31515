"""The PostgREST subset over HTTP, with row-level security decided by a real PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from reference_server.auth import TokenSigner
from reference_server.db import Database
from reference_server.db import database as database_module
from reference_server.rest.catalogue import load_catalogue
from reference_server.rest.polls import Polls
from reference_server.rest.routes import routes
from reference_server.web.caller import Gateway

OBJECT = {"accept": "application/vnd.pgrst.object+json"}
BACK = {"prefer": "return=representation"}


class Seen:
    """Hears of signs of life."""

    def __init__(self) -> None:
        self.users: list[UUID] = []

    def seen(self, user: UUID) -> None:
        self.users.append(user)

    def socket_opened(self, user: UUID, socket: int) -> None: ...
    def socket_closed(self, user: UUID, socket: int) -> None: ...


class World:
    """Two users with a session, a stranger, and a client for all of them."""

    def __init__(self, client: Any, signer: TokenSigner, database: Database, seen: Seen) -> None:
        self.client, self.signer, self.database, self.seen = client, signer, database, seen
        self.ada, self.bob, self.eve, self.session = uuid4(), uuid4(), uuid4(), uuid4()

    async def settle(self) -> None:
        async with self.database.transaction() as connection:
            for user in (self.ada, self.bob, self.eve):
                await connection.execute("insert into auth.users (id) values ($1)", user)
            await connection.execute(
                "insert into chat_sessions (id, user1_id, user2_id, started_at)"
                " values ($1, $2, $3, '2026-01-01 21:34:05.678901+00')",
                self.session,
                self.ada,
                self.bob,
            )

    def token(self, user: UUID, **claims: Any) -> str:
        return self.signer.sign({"sub": str(user), "role": "authenticated", "exp": time.time() + 60, **claims})

    async def call(self, method: str, path: str, body: Any = None, by: UUID | None = None, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.call(
            method, f"/rest/v1/{path}", body, headers=sent, token=self.token(by) if by else None
        )

    async def value(self, query: str, *args: Any) -> Any:
        async with self.database.connection() as connection:
            return await connection.fetchval(query, *args)


@pytest.fixture
async def world(shared: Database, signer: TokenSigner, gateway: Gateway, client_for: Any) -> AsyncIterator[World]:
    seen, polls = Seen(), Polls(shared)
    client = client_for(routes(shared, polls, gateway, seen, await load_catalogue(shared)))
    made = World(client, signer, shared, seen)
    await made.settle()
    yield made
    await polls.stop()


def poll(user: UUID) -> str:
    return (
        "chat_sessions?select=id%2Cuser1_id%2Cuser2_id"
        f"&or=%28user1_id.eq.{user}%2Cuser2_id.eq.{user}%29&status=eq.active&order=started_at.desc&limit=1"
    )


async def test_the_poll(world: World) -> None:
    """The documented client's poll finds the member's session, and is a sign of life; a stranger finds nothing."""
    answer = await world.call("GET", poll(world.bob), by=world.bob)
    assert answer.status == 200
    assert answer.json == [{"id": str(world.session), "user1_id": str(world.ada), "user2_id": str(world.bob)}]
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["content-range"] == "0-0/*"
    assert answer.headers["content-location"].startswith("/chat_sessions?limit=1&or=%28user1_id.eq.")
    stranger = await world.call("GET", poll(world.ada), by=world.eve)
    assert (stranger.status, stranger.json, stranger.headers["content-range"]) == (200, [], "*/*")
    assert world.seen.users == [world.bob, world.eve]


async def test_who_reads_or_writes_messages_shows_life(world: World) -> None:
    """Others than a member may try: it is their own life that they show. Friendships say nothing of a session."""
    row = {"session_id": str(world.session), "sender_id": str(world.ada), "content": "{}"}
    await world.call("POST", "messages", row, by=world.ada)
    await world.call("GET", "messages?select=id", by=world.bob)
    await world.call("GET", "messages?select=id")
    await world.call("GET", "study_connections?select=id", by=world.eve)
    assert world.seen.users == [world.ada, world.bob]


async def test_times_and_nulls_in_json(world: World) -> None:
    """Times are written by PostgreSQL, in UTC, with all their microseconds; nulls are null."""
    answer = await world.call("GET", "chat_sessions?select=started_at,ended_at", by=world.ada)
    assert answer.json == [{"started_at": "2026-01-01T21:34:05.678901+00:00", "ended_at": None}]


async def test_single_object(world: World) -> None:
    """With the object form one row comes as an object; none or several are 406 PGRST116."""
    one = await world.call("GET", "chat_sessions?select=id", by=world.ada, **OBJECT)
    assert one.json == {"id": str(world.session)}
    assert one.headers["content-type"] == "application/vnd.pgrst.object+json; charset=utf-8"
    none = await world.call("GET", "chat_sessions?select=id", by=world.eve, **OBJECT)
    assert (none.status, none.json["code"]) == (406, "PGRST116")
    assert none.json["details"] == "The result contains 0 rows"
    assert none.headers["proxy-status"] == "PostgREST; error=PGRST116"


async def test_insert(world: World) -> None:
    """An insert is 201: without a body, or with the row where it is wanted back."""
    quiet = await world.call("POST", "waiting_queue", {"user_id": str(world.ada)}, by=world.ada)
    assert (quiet.status, quiet.body, quiet.headers["content-range"]) == (201, b"", "*/*")
    row = {"session_id": str(world.session), "sender_id": str(world.ada), "content": '{"type":"offer"}'}
    path = "messages?columns=%22session_id%22%2C%22sender_id%22%2C%22content%22&select=*"
    back = await world.call("POST", path, [row], by=world.ada, **BACK)
    assert (back.status, back.headers["preference-applied"]) == (201, "return=representation")
    assert back.json[0]["content"] == '{"type":"offer"}'
    assert back.json[0]["type"] == "text"
    single = await world.call("POST", "messages?select=id", row, by=world.ada, **BACK, **OBJECT)
    assert (single.status, list(single.json)) == (201, ["id"])


async def test_bulk_insert(world: World) -> None:
    """Many rows go in one statement; where `columns` names more than an object has, the rest is null."""
    rows = [
        {"session_id": str(world.session), "sender_id": str(world.ada), "content": "1"},
        {"session_id": str(world.session), "sender_id": str(world.ada), "file_name": "f"},
    ]
    unlike = await world.call("POST", "messages", rows, by=world.ada)
    assert (unlike.status, unlike.json["message"]) == (400, "All object keys must match")
    path = "messages?columns=session_id,sender_id,content,file_name&select=content,file_name"
    answer = await world.call("POST", path, rows, by=world.ada, **BACK)
    assert answer.json == [{"content": "1", "file_name": None}, {"content": None, "file_name": "f"}]
    empty = await world.call("POST", "messages", [], by=world.ada, **BACK)
    assert (empty.status, empty.json) == (201, [])


async def test_insert_for_another_is_refused(world: World) -> None:
    """Row-level security refuses a row in another's name: 403 for a user, 401 for the project's key alone."""
    row = {"user_id": str(world.bob)}
    user = await world.call("POST", "waiting_queue", row, by=world.ada)
    assert (user.status, user.json["code"]) == (403, "42501")
    assert user.json["message"] == 'new row violates row-level security policy for table "waiting_queue"'
    anonymous = await world.call("POST", "waiting_queue", row)
    assert (anonymous.status, anonymous.headers["www-authenticate"]) == (401, "Bearer")


async def test_duplicates(world: World) -> None:
    """A second row with a taken key is 409; an upsert changes the first, or leaves it."""
    row = {"user_id": str(world.ada), "match_mode": "global"}
    await world.call("POST", "waiting_queue", row, by=world.ada)
    again = await world.call("POST", "waiting_queue", row, by=world.ada)
    assert (again.status, again.json["code"], again.json["details"]) == (409, "23505", None)
    other = row | {"match_mode": "buddies_first"}
    path = "waiting_queue?on_conflict=user_id&select=match_mode"
    kept = await world.call("POST", path, other, by=world.ada, prefer="resolution=ignore-duplicates")
    assert kept.status == 201
    assert await world.value("select match_mode from waiting_queue") == "global"
    merged = await world.call(
        "POST", path, other, by=world.ada, prefer="resolution=merge-duplicates,return=representation"
    )
    assert (merged.status, merged.json) == (200, [{"match_mode": "buddies_first"}])
    quiet = await world.call("POST", path, other, by=world.ada, prefer="resolution=merge-duplicates")
    assert (quiet.status, quiet.body) == (200, b"")
    await world.call("DELETE", f"waiting_queue?user_id=eq.{world.ada}", by=world.ada)
    made = await world.call("POST", path, other, by=world.ada, prefer="resolution=merge-duplicates")
    assert made.status == 201


async def test_update(world: World) -> None:
    """A member ends his session: 204; wanted back: 200 with the row; a stranger's update touches nothing."""
    body = {"status": "ended", "ended_at": "2026-01-02T00:00:00Z"}
    stranger = await world.call("PATCH", f"chat_sessions?id=eq.{world.session}", body, by=world.eve)
    assert (stranger.status, await world.value("select status from chat_sessions")) == (204, "active")
    answer = await world.call("PATCH", f"chat_sessions?id=eq.{world.session}", body, by=world.ada)
    assert (answer.status, answer.body, await world.value("select status from chat_sessions")) == (204, b"", "ended")
    back = await world.call("PATCH", f"chat_sessions?id=eq.{world.session}&select=status", body, by=world.bob, **BACK)
    assert (back.status, back.json) == (200, [{"status": "ended"}])
    nothing = await world.call("PATCH", f"chat_sessions?id=eq.{world.session}", {}, by=world.ada)
    assert nothing.status == 204


async def test_update_of_other_than_one_row_is_undone(world: World) -> None:
    """Where one object is wanted back and several rows change, or none, the answer is 406 and nothing has changed."""
    for receiver in (world.bob, world.eve):
        row = {"requester_id": str(world.ada), "receiver_id": str(receiver)}
        await world.call("POST", "study_connections", row, by=world.ada)
    path = f"study_connections?requester_id=eq.{world.ada}"
    several = await world.call("DELETE", path, by=world.ada, **BACK, **OBJECT)
    assert (several.status, several.json["details"]) == (406, "The result contains 2 rows")
    assert await world.value("select count(*) from study_connections") == 2
    none = await world.call("DELETE", f"{path}&status=eq.accepted", by=world.ada, **BACK, **OBJECT)
    assert (none.status, none.json["details"]) == (406, "The result contains 0 rows")


async def test_delete(world: World) -> None:
    """A user deletes his own entry and nobody else's; the body that the Python client sends does not matter."""
    for user in (world.ada, world.bob):
        await world.call("POST", "waiting_queue", {"user_id": str(user)}, by=user)
    await world.call("DELETE", f"waiting_queue?user_id=eq.{world.bob}", {}, by=world.ada)
    answer = await world.call("DELETE", f"waiting_queue?user_id=eq.{world.ada}", {}, by=world.ada)
    assert answer.status == 204
    assert await world.value("select array_agg(user_id) from waiting_queue") == [world.bob]


async def test_changes_want_a_condition(world: World) -> None:
    """A change of a whole table is refused, as Supabase does."""
    for method in ("PATCH", "DELETE"):
        answer = await world.call(method, "waiting_queue", {"match_mode": "global"}, by=world.ada)
        assert (answer.status, answer.json["code"]) == (400, "21000")
        assert answer.json["message"].endswith("requires a WHERE clause")


async def test_count_and_range(world: World) -> None:
    """With count=exact the range names the total: 206 for a part, 416 behind the end."""
    for number in range(3):
        row = {"session_id": str(world.session), "sender_id": str(world.ada), "content": str(number)}
        await world.call("POST", "messages", row, by=world.ada)
    path = "messages?select=content&order=content.asc"
    part = await world.call("GET", f"{path}&limit=2&offset=1", by=world.ada, prefer="count=exact")
    assert (part.status, part.headers["content-range"]) == (206, "1-2/3")
    assert [row["content"] for row in part.json] == ["1", "2"]
    whole = await world.call("GET", path, by=world.ada, prefer="count=exact")
    assert (whole.status, whole.headers["content-range"]) == (200, "0-2/3")
    behind = await world.call("GET", f"{path}&offset=9", by=world.ada, prefer="count=exact")
    assert (behind.status, behind.json["code"]) == (416, "PGRST103")


async def test_operators_against_the_database(world: World) -> None:
    """Each operator finds what PostgreSQL says it should."""
    for content in ("alpha", "beta", None):
        row = {"session_id": str(world.session), "sender_id": str(world.ada), "content": content}
        await world.call("POST", "messages", row, by=world.ada)
    expected = {
        "content=eq.alpha": ["alpha"],
        "content=neq.alpha": ["beta"],
        "content=not.eq.alpha": ["beta"],
        "content=gt.alpha": ["beta"],
        "content=gte.alpha": ["alpha", "beta"],
        "content=lt.beta": ["alpha"],
        "content=lte.beta": ["alpha", "beta"],
        "content=like.*ph*": ["alpha"],
        "content=ilike.AL*": ["alpha"],
        "content=in.(alpha,beta)": ["alpha", "beta"],
        "content=in.()": [],
        "content=is.null": [None],
        "content=not.is.null": ["alpha", "beta"],
        "is_flagged=is.false&content=eq.beta": ["beta"],
        "or=(content.eq.alpha,content.is.null)": ["alpha", None],
        "and=(content.gte.alpha,not.or(content.eq.beta,content.eq.gamma))": ["alpha"],
    }
    found = {}
    for query in expected:
        answer = await world.call("GET", f"messages?select=content&order=content&{query}", by=world.bob)
        assert answer.status == 200, (query, answer.body)
        found[query] = [row["content"] for row in answer.json]
    assert found == expected


async def test_functions(world: World) -> None:
    """A table function answers with an array, a scalar one with bare JSON, a void one with 204."""
    match = await world.call("POST", "rpc/find_match", {"p_user_id": str(world.ada)}, by=world.ada)
    row = {"match_found": False, "session_id": None, "partner_id": str(world.ada), "message": "buddies_first"}
    assert (match.status, match.json) == (200, [row])
    both = {"p_match_mode": "global", "p_user_id": str(world.ada)}
    single = await world.call("POST", "rpc/find_match", both, by=world.ada, **OBJECT)
    assert single.json == row | {"message": "global"}
    ids = {"p_user_id": str(world.ada), "p_session_id": str(world.session)}
    scalar = await world.call("POST", "rpc/skip_partner", ids, by=world.ada, content_profile="public")
    assert (scalar.status, scalar.json) == (200, True)
    void = await world.call("POST", "rpc/cleanup_matchmaking", by=world.ada)
    assert (void.status, void.body) == (204, b"")
    assert await world.value("select user_id from waiting_queue") == world.ada


async def test_function_refusals(world: World) -> None:
    """Unknown functions and arguments are PGRST202; what a function raises is 400 with its text."""
    missing = await world.call("POST", "rpc/find_match", {}, by=world.ada)
    assert (missing.status, missing.json["code"]) == (404, "PGRST202")
    assert (
        missing.json["message"]
        == "Could not find the function public.find_match without parameters in the schema cache"
    )
    unknown = await world.call("POST", "rpc/find_mach", {"b": 1, "a": 2}, by=world.ada)
    assert unknown.json["message"] == "Could not find the function public.find_mach(a, b) in the schema cache"
    assert unknown.json["hint"] == "Perhaps you meant to call the function public.find_match"
    ids = {"p_user_id": str(world.ada), "p_session_id": str(world.ada)}
    raised = await world.call("POST", "rpc/skip_partner", ids, by=world.ada)
    assert (raised.status, raised.json) == (
        400,
        {"code": "P0001", "message": "not you", "details": None, "hint": "another"},
    )


REFUSALS = [
    ("GET", "chat_session", None, 404, "PGRST205", "Could not find the table 'public.chat_session' in the schema"),
    ("GET", "users", None, 404, "PGRST205", "Could not find the table 'public.users' in the schema cache"),
    ("GET", "chat_sessions?id=eq.x", None, 400, "22P02", 'invalid input syntax for type uuid: "x"'),
    ("GET", "chat_sessions?nope=eq.x", None, 400, "42703", "column chat_sessions.nope does not exist"),
    ("GET", "chat_sessions?id=like.x", None, 404, "42883", "operator does not exist: uuid ~~ text"),
    ("POST", "messages", {"nope": 1}, 400, "PGRST204", "Could not find the 'nope' column of 'messages' in the"),
    ("POST", "messages", b"{", 400, "PGRST102", "Empty or invalid json"),
    ("POST", "messages", b"", 400, "PGRST102", "Empty or invalid json"),
    ("POST", "messages", [1], 400, "PGRST102", "Empty or invalid json"),
    ("POST", "messages", b" " * 2_000_000, 413, "PGRST102", "The body is larger than 1048576 bytes"),
    ("POST", "waiting_queue", {"user_id": "x"}, 400, "22P02", 'invalid input syntax for type uuid: "x"'),
    ("POST", "messages?limit=1", {}, 400, "PGRST127", "Feature not implemented"),
    ("PATCH", "messages?id=eq.1", [{}], 400, "PGRST102", "Empty or invalid json"),
    ("GET", "messages?content=eq.%00", None, 400, "22021", "invalid byte sequence"),
    ("GET", "messages?content=\u00ff", None, 400, "PGRST100", '"failed to parse filter'),
    ("PUT", "messages?id=eq.1", {}, 405, "PGRST117", "Unsupported HTTP method: PUT"),
    ("PUT", "rpc/find_match", {}, 405, "PGRST117", "Unsupported HTTP method: PUT"),
    ("TRACE", "messages", None, 405, "PGRST117", "Unsupported HTTP method: TRACE"),
    ("GET", "", None, 404, "PGRST125", "Invalid path specified in request URL"),
    ("GET", "messages/1", None, 404, "PGRST125", "Invalid path specified in request URL"),
    ("GET", "rpc/find_match", None, 404, "PGRST202", "Could not find the function public.find_match without"),
    ("GET", "rpc/find_match?p_user=1", None, 404, "PGRST202", "Could not find the function public.find_match(p_user)"),
    ("GET", "rpc/cleanup_matchmaking", None, 405, "25006", "cannot execute INSERT in a read-only transaction"),
    ("POST", "rpc/cleanup_matchmaking?select=x", {}, 400, "PGRST127", "Feature not implemented"),
    ("GET", "messages?limit=-1", None, 416, "PGRST103", "Requested range not satisfiable"),
    ("GET", "messages?content=fts(klingon).x", None, 400, "42704", 'text search configuration "klingon" does not'),
    ("GET", "messages?content=fts.a%20b", None, 400, "42601", "syntax error in tsquery"),
    ("GET", "messages?content=match.(", None, 400, "2201B", "invalid regular expression"),
    ("GET", "messages?content=eq(any).x", None, 400, "22P02", 'malformed array literal: "x"'),
    ("GET", "messages?content=cs.x", None, 404, "42883", "operator does not exist: text @> text"),
    ("GET", "waiting_queue?preferences->a=like.x", None, 404, "42883", "operator does not exist: jsonb ~~ text"),
    ("GET", "waiting_queue?preferences->a=eq.x", None, 400, "22P02", "invalid input syntax for type json"),
    ("GET", "waiting_queue?select=preferences->>a->b", None, 404, "42883", "operator does not exist: text -> text"),
    ("GET", "waiting_queue?select=preferences->99999999999", None, 400, "22003", 'value "99999999999" is out of'),
    ("GET", "waiting_queue?select=preferences->%00", None, 400, "22021", "invalid byte sequence"),
    ("GET", "waiting_queue?select=nope->a", None, 400, "42703", "column waiting_queue.nope does not exist"),
    ("GET", "messages?select=id.count()", None, 400, "PGRST123", "Use of aggregate functions is not allowed"),
    ("GET", "messages?select=id::regclass", None, 400, "42704", 'type "regclass" does not exist'),
]
"""Method, path, body; status, code and how the message begins."""


async def test_refusals(world: World) -> None:
    """Every refusal has PostgREST's shape, its status and its code."""
    for method, path, body, status, code, text in REFUSALS:
        answer = await world.call(method, path, body, by=world.ada)
        assert (answer.status, answer.json["code"]) == (status, code), (method, path)
        assert answer.json["message"].startswith(text), (method, path)
        assert answer.json.keys() == {"code", "message", "details", "hint"}
        assert answer.headers["proxy-status"] == f"PostgREST; error={code}"


async def test_a_queue_mode_that_is_none(world: World) -> None:
    """A value that a check constraint refuses is 400 with PostgreSQL's text."""
    body = {"user_id": str(world.ada), "match_mode": "whatever"}
    answer = await world.call("POST", "waiting_queue", body, by=world.ada)
    assert (answer.status, answer.json["code"]) == (400, "23514")


async def test_unknown_reference(world: World) -> None:
    """A row that points to nothing is 409."""
    nobody = uuid4()
    answer = await world.call("POST", "waiting_queue", {"user_id": str(nobody)}, by=nobody)
    assert (answer.status, answer.json["code"]) == (409, "23503")


async def test_tokens_at_the_door(world: World, signer: TokenSigner) -> None:
    """An expired token is taken for 30 s more; then, or with a wrong signature, the answer is 401 and says why."""
    now = time.time()
    cases = {
        world.token(world.ada, exp=now - 5): (200, None),
        world.token(world.ada, exp=now - 60): (401, "PGRST303"),
        TokenSigner("x" * 40).sign({"role": "authenticated", "exp": now + 60}): (401, "PGRST301"),
        "a.b": (401, "PGRST301"),
    }
    for token, (status, code) in cases.items():
        answer = await world.client.call("GET", "/rest/v1/profiles", token=token)
        assert answer.status == status
        if code:
            assert answer.json["code"] == code
            assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token", error_description="')


async def test_gateway_key(world: World) -> None:
    """Without the project's key PostgREST is not reached, whatever the token."""
    answer = await world.call("GET", "profiles", by=world.ada, apikey="")
    assert (answer.status, answer.json["message"]) == (401, "No API key found in request")


async def test_nobody_writes_by_reading(world: World) -> None:
    """A GET runs in a read-only transaction with the caller's claims: it cannot see what is not his."""
    for table in ("waiting_queue", "messages", "study_connections", "chat_sessions"):
        answer = await world.call("GET", table)
        assert (answer.status, answer.json) == (200, []), table


async def test_calls_side_by_side_keep_their_callers(world: World) -> None:
    """Many callers at once over few connections: each sees his own rows only."""
    await asyncio.gather(
        *(world.call("POST", "waiting_queue", {"user_id": str(user)}, by=user) for user in (world.ada, world.bob))
    )
    users = [world.ada, world.bob, world.eve] * 10
    answers = await asyncio.gather(*(world.call("GET", "waiting_queue?select=user_id", by=user) for user in users))
    for user, answer in zip(users, answers, strict=True):
        assert answer.json == ([] if user == world.eve else [{"user_id": str(user)}])


async def says(world: World, *contents: str | None) -> None:
    """Ada sends messages with these contents."""
    for content in contents:
        row = {"session_id": str(world.session), "sender_id": str(world.ada), "content": content}
        await world.call("POST", "messages", row, by=world.ada)


async def test_more_operators_against_the_database(world: World) -> None:
    """Patterns, lists of values, distinctness and searches find what PostgreSQL says they should."""
    await says(world, "alpha", "beta", None)
    expected = {
        "content=match.^al": ["alpha"],
        "content=imatch.^AL": ["alpha"],
        "content=not.match.^al": ["beta"],
        "content=isdistinct.alpha": ["beta", None],
        "content=eq(any).{alpha,gamma}": ["alpha"],
        "content=like(all).{*a*,b%25}": ["beta"],
        "content=ilike(any).{A*,B*}": ["alpha", "beta"],
        "content=fts.alpha|beta": ["alpha", "beta"],
        "content=plfts(english).betas": ["beta"],
        "content=phfts(simple).alpha": ["alpha"],
        "content=wfts.alpha%20or%20beta": ["alpha", "beta"],
        "or=(content.eq(any).{alpha,x},content.is.null)": ["alpha", None],
    }
    found = {}
    for query in expected:
        answer = await world.call("GET", f"messages?select=content&order=content&{query}", by=world.bob)
        assert answer.status == 200, (query, answer.body)
        found[query] = [row["content"] for row in answer.json]
    assert found == expected


async def test_containment(world: World) -> None:
    """What is in a JSON document can be asked for, in both directions."""
    row = {"user_id": str(world.ada), "preferences": {"topic": "maths", "level": 2}}
    await world.call("POST", "waiting_queue", row, by=world.ada)
    for query, rows in (
        ('cs.{"topic":"maths"}', 1),
        ('cs.{"topic":"art"}', 0),
        ('cd.{"topic":"maths","level":2,"x":1}', 1),
    ):
        answer = await world.call("GET", f"waiting_queue?preferences={query}", by=world.ada)
        assert (answer.status, len(answer.json)) == (200, rows), query


async def test_renamed_columns(world: World) -> None:
    """A selected column can have another name and another type; also of changed rows."""
    path = "chat_sessions?select=who:user1_id,status,at:started_at::date"
    expected = {"who": str(world.ada), "status": "active", "at": "2026-01-01"}
    assert (await world.call("GET", path, by=world.ada)).json == [expected]
    assert (await world.call("GET", path, by=world.ada, **OBJECT)).json == expected
    path = f"chat_sessions?id=eq.{world.session}&select=how:status"
    changed = await world.call("PATCH", path, {"status": "ended"}, by=world.ada, **BACK)
    assert changed.json == [{"how": "ended"}]


async def test_paths_into_json(world: World) -> None:
    """What lies within a column's JSON is selected, compared, cast and ordered by, and comes back of a change."""
    wishes = {"level": 7, "tags": ["maths", "music"], "place": {"city": 'Ada\'s "town"'}}
    row = {"user_id": str(world.ada), "preferences": wishes}
    path = "waiting_queue?select=preferences->place->>city"
    made = await world.call("POST", path, row, by=world.ada, **BACK)
    assert (made.status, made.json) == (201, [{"city": wishes["place"]["city"]}])
    selected = {
        "preferences->tags->>1": {"tags": "music"},
        "preferences->tags->-1": {"tags": "music"},
        "preferences->tags": {"tags": ["maths", "music"]},
        "preferences->nothing->>there": {"there": None},
        "height:preferences->>level::int": {"height": 7},
        "user_id->>x": {"x": None},
        "preferences->>x'%3B drop table messages--": {"x'; drop table messages--": None},
    }
    for select, expected in selected.items():
        answer = await world.call("GET", f"waiting_queue?select={select.replace(' ', '%20')}", by=world.ada)
        assert (answer.status, answer.json) == (200, [expected]), select
    found = {
        "preferences->>level=eq.7": 1,
        "preferences->level=gt.6": 1,
        "preferences->level=eq.8": 0,
        "preferences->tags->>0=in.(maths,arts)": 1,
        "preferences->place->>city=like.Ada*": 1,
        "preferences->tags=cs.[%22music%22]": 1,
        "preferences->x=is.null": 1,
        "or=(preferences->>x.eq.1,preferences->tags->>0.eq.maths)": 1,
        "order=preferences->>level.desc.nullslast": 1,
    }
    for condition, rows in found.items():
        answer = await world.call("GET", f"waiting_queue?select=id&{condition}", by=world.ada)
        assert (answer.status, len(answer.json)) == (200, rows), (condition, answer.body)


async def test_nulls_can_be_left_out(world: World) -> None:
    """With nulls=stripped no member of an answer is null."""
    stripped = {"accept": "application/vnd.pgrst.object+json;nulls=stripped"}
    answer = await world.call("GET", "chat_sessions?select=status,ended_at", by=world.ada, **stripped)
    assert answer.json == {"status": "active"}
    assert answer.headers["content-type"] == "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8"


async def test_range_header(world: World) -> None:
    """The Range header chooses rows as limit and offset do, for reading only."""
    await says(world, "0", "1", "2")
    path = "messages?select=content&order=content"
    part = await world.call("GET", path, by=world.ada, range="1-1", range_unit="items", prefer="count=exact")
    assert (part.status, part.json, part.headers["content-range"]) == (206, [{"content": "1"}], "1-1/3")
    wrong = await world.call("GET", path, by=world.ada, range="5-1")
    assert (wrong.status, wrong.json["code"]) == (416, "PGRST103")
    changed = await world.call(
        "PATCH", "messages?select=content&content=eq.1", {"is_flagged": True}, by=world.ada, range="5-9", **BACK
    )
    assert changed.status == 200


async def test_counts_that_are_guessed(world: World) -> None:
    """count=planned asks the planner; count=estimated counts where there are few."""
    await says(world, "0", "1", "2")
    few = await world.call("GET", "messages?limit=1", by=world.ada, prefer="count=estimated")
    assert (few.status, few.headers["content-range"]) == (206, "0-0/3")
    assert few.headers["preference-applied"] == "count=estimated"
    planned = await world.call("GET", "messages?limit=1", by=world.ada, prefer="count=planned")
    assert planned.headers["content-range"].startswith("0-0/")
    assert planned.headers["content-range"][4:].isdigit()


async def test_head(world: World) -> None:
    """HEAD counts as GET does."""
    await says(world, "0", "1")
    answer = await world.call("HEAD", "messages?select=id", by=world.ada, prefer="count=exact")
    assert (answer.status, answer.headers["content-range"]) == (200, "0-1/2")


async def test_counts_of_changes(world: World) -> None:
    """A change that is counted says how many rows it changed."""
    await says(world, "0", "1")
    path = f"messages?session_id=eq.{world.session}"
    touched = await world.call("DELETE", path, by=world.ada, prefer="count=exact")
    assert (touched.status, touched.headers["content-range"]) == (204, "*/0")
    ended = await world.call(
        "PATCH", "chat_sessions?status=eq.active", {"status": "ended"}, by=world.ada, prefer="count=exact"
    )
    assert (ended.status, ended.headers["content-range"]) == (204, "*/1")
    row = {"user_id": str(world.ada)}
    made = await world.call("POST", "waiting_queue", row, by=world.ada, prefer="count=exact")
    assert (made.status, made.headers["content-range"]) == (201, "*/1")


async def test_changes_have_a_ceiling_where_one_is_given(world: World) -> None:
    """A change of more rows than the request allows is undone."""
    for receiver in (world.bob, world.eve):
        row = {"requester_id": str(world.ada), "receiver_id": str(receiver)}
        await world.call("POST", "study_connections", row, by=world.ada)
    path = f"study_connections?requester_id=eq.{world.ada}"
    answer = await world.call("DELETE", path, by=world.ada, prefer="handling=strict,max-affected=1")
    assert (answer.status, answer.json["code"], answer.json["details"]) == (
        400,
        "PGRST124",
        "The query affects 2 rows",
    )
    assert await world.value("select count(*) from study_connections") == 2


async def test_a_friendship_keeps_its_two_people(world: World) -> None:
    """Who is asked says yes or no; he cannot make it a friendship with somebody who never asked."""
    row = {"requester_id": str(world.ada), "receiver_id": str(world.bob)}
    await world.call("POST", "study_connections", row, by=world.ada)
    path = f"study_connections?requester_id=eq.{world.ada}"
    forged = {"requester_id": str(world.eve), "status": "accepted"}
    answer = await world.call("PATCH", path, forged, by=world.bob)
    assert (answer.status, answer.json["code"]) == (400, "23514")
    assert await world.value("select count(*) from study_connections where status = 'accepted'") == 0
    assert (await world.call("PATCH", path, {"status": "accepted"}, by=world.bob)).status == 204
    assert await world.value("select count(*) from study_connections where status = 'accepted'") == 1


async def test_where_a_new_row_is(world: World) -> None:
    """With return=headers-only the address of the new row comes instead of the row."""
    row = {"user_id": str(world.ada)}
    answer = await world.call("POST", "waiting_queue", row, by=world.ada, prefer="return=headers-only")
    made = await world.value("select id from waiting_queue")
    assert (answer.status, answer.body, answer.headers["location"]) == (201, b"", f"/waiting_queue?id=eq.{made}")


async def test_missing_columns_take_their_defaults(world: World) -> None:
    """With missing=default, a column that one of several rows lacks has its default there; a null is refused."""
    base = {"session_id": str(world.session), "sender_id": str(world.ada)}
    rows = [base | {"content": "0", "is_flagged": True}, base | {"content": "1"}]
    path = "messages?columns=session_id,sender_id,content,is_flagged&select=content,is_flagged"
    null = await world.call("POST", path, rows, by=world.ada, **BACK)
    assert (null.status, null.json["code"]) == (400, "23502")
    answer = await world.call("POST", path, rows, by=world.ada, prefer="missing=default,return=representation")
    assert answer.status == 201
    assert answer.json == [{"content": "0", "is_flagged": True}, {"content": "1", "is_flagged": False}]


async def test_rows_of_a_function_can_be_chosen(world: World) -> None:
    """What a table function answers with can be selected, filtered and limited."""
    path = "rpc/find_match?select=how:message&message=eq.global&limit=1"
    for mode, expected in (("global", [{"how": "global"}]), ("buddies_first", [])):
        body = {"p_user_id": str(world.ada), "p_match_mode": mode}
        answer = await world.call("POST", path, body, by=world.ada)
        assert (answer.status, answer.json) == (200, expected)


async def test_a_function_by_get(world: World) -> None:
    """Arguments come as parameters, beside conditions on the rows; nothing can be changed."""
    path = f"rpc/find_match?p_user_id={world.ada}&select=message&message=eq.buddies_first"
    answer = await world.call("GET", path, by=world.ada)
    assert (answer.status, answer.json) == (200, [{"message": "buddies_first"}])
    ids = f"p_user_id={world.ada}&p_session_id={world.session}"
    assert (await world.call("GET", f"rpc/skip_partner?{ids}", by=world.ada)).json is True
    bad = await world.call("GET", "rpc/find_match?p_user_id=x", by=world.ada)
    assert (bad.status, bad.json["code"]) == (400, "22P02")


async def test_options(world: World) -> None:
    """OPTIONS says what can be done with a table, and with a function."""
    table = await world.call("OPTIONS", "messages", by=world.ada)
    assert (table.status, table.headers["allow"]) == (200, "OPTIONS,GET,HEAD,POST,PATCH,DELETE")
    function = await world.call("OPTIONS", "rpc/find_match", by=world.ada)
    assert (function.status, function.headers["allow"]) == (200, "OPTIONS,GET,HEAD,POST")


async def test_words_of_an_older_version(
    shared: Database, signer: TokenSigner, gateway: Gateway, client_for: Any
) -> None:
    """As PostgREST 12 the words are that version's, and no header names the code."""
    client = client_for(
        routes(shared, Polls(shared, together=False), gateway, Seen(), await load_catalogue(shared), "12")
    )
    none = await client.call("GET", "/rest/v1/profiles", headers=OBJECT)
    assert (none.status, none.json["message"]) == (406, "JSON object requested, multiple (or no) rows returned")
    assert none.json["details"] == "The result contains 0 rows"
    assert "proxy-status" not in none.headers
    token = signer.sign({"role": "anon", "exp": time.time() - 90})
    expired = await client.call("GET", "/rest/v1/profiles", token=token)
    assert (expired.status, expired.json["code"], expired.json["message"]) == (401, "PGRST301", "JWT expired")


async def test_statements_that_take_too_long(
    shared_url: str, shared: Database, signer: TokenSigner, gateway: Gateway, client_for: Any
) -> None:
    """A statement that waits longer than its caller may is ended: 500 57014; the next one is not."""
    impatient = await Database.open(shared_url, pool_size=2, statement_timeouts={"anon": 0.05, "authenticated": 0.05})
    world = World(
        client_for(routes(impatient, Polls(impatient, together=False), gateway, Seen(), await load_catalogue(shared))),
        signer,
        shared,
        Seen(),
    )
    await world.settle()
    row = {"user_id": str(world.ada)}
    async with shared.transaction() as connection:
        await connection.execute("lock table waiting_queue")
        late = await world.call("POST", "waiting_queue", row, by=world.ada)
    assert (late.status, late.json["code"]) == (500, "57014")
    assert late.json["message"] == "canceling statement due to statement timeout"
    assert (await world.call("POST", "waiting_queue", row, by=world.ada)).status == 201
    await impatient.close()


async def test_a_pool_that_is_used_up(
    shared_url: str,
    shared: Database,
    signer: TokenSigner,
    gateway: Gateway,
    client_for: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever gets no connection in time is told so: 504 PGRST003, which clients do not repeat as they do a 503."""
    monkeypatch.setattr(database_module, "ACQUIRE_TIMEOUT", 0.05)
    small = await Database.open(shared_url, pool_size=1)
    polls = Polls(small, together=False)
    client = client_for(routes(small, polls, gateway, Seen(), await load_catalogue(shared)))
    world = World(client, signer, shared, Seen())
    await world.settle()
    async with small.connection():
        late = await world.call("GET", "profiles", by=world.ada)
    assert (late.status, late.json["code"]) == (504, "PGRST003")
    assert late.json["message"] == "Timed out acquiring connection from connection pool."
    assert (await world.call("GET", "profiles", by=world.ada)).status == 200
    await small.close()
