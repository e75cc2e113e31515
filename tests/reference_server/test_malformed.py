"""Malformed in every way that the wire lists: each request gets the error that is listed, in its part's shape."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest

from reference_server.app import build_app, build_parts, running
from reference_server.settings import Settings

REST = {"code", "message", "details", "hint"}
AUTH = {"code", "error_code", "msg"}
APP = {"error"}
GATE = {"message", "hint"}
JSON = {"content-type": "application/json"}
DEEP = b"[" * 5000 + b"]" * 5000
BOMB = gzip.compress(b" " * 20_000_000)
QUEUE = "/rest/v1/waiting_queue"
MESSAGES = "/rest/v1/messages"
FIND = "/rest/v1/rpc/find_match"
SIGN_UP = "/auth/v1/signup"
TOKEN = "/auth/v1/token?grant_type=password"
JOIN = "/api/matching/join"
ROW = b'{"user_id":"%s"}' % (b"0" * 32)

Case = tuple[str, str, Any, dict[str, str], int, str, str]

BODIES: list[tuple[bytes, dict[str, str]]] = [
    (b"{", JSON),
    (b'{"a":1', JSON),
    (b'{"a":1}}', JSON),
    (b'{"a":NaN}', JSON),
    (b'{"a":Infinity}', JSON),
    (b'{"a":1e999}', JSON),
    (b'{"a":01}', JSON),
    (b"{\"a\":'b'}", JSON),
    (b'{"a":1,}', JSON),
    (b'{"a":"\xff"}', JSON),
    (b'{"a":"\\ud800"}', JSON),
    (b'{"a":"\x00"}', JSON),
    (b"\xef\xbb\xbf{}", JSON),
    ('{"ä":1}'.encode("utf-16"), {"content-type": "application/json; charset=utf-16"}),
    ('{"ä":1}'.encode("latin-1"), {"content-type": "application/json; charset=latin-1"}),
    (b'{"a":' + DEEP + b"}", JSON),
    (BOMB, {**JSON, "content-encoding": "gzip"}),
    (b"a=1&b=2", JSON),
    (b"null", JSON),
    (b"1", JSON),
    (b'"a"', JSON),
    (b"true", JSON),
]
"""Bodies that are no JSON object: broken off, too much, no numbers, no texts, other encodings, too deep, compressed."""


def rest(method: str, path: str, body: Any, status: int, code: str, message: str, **headers: str) -> Case:
    return method, path, body, {k.replace("_", "-"): v for k, v in headers.items()}, status, code, message


QUERIES: list[Case] = [
    rest("GET", f"{QUEUE}?{query}", None, status, code, message)
    for query, status, code, message in [
        ("select=", 200, "", ""),
        ("select=id,,x", 400, "PGRST100", '"failed to parse select parameter (id,,x)" (line 1, column 4)'),
        ("select=nope", 400, "42703", "column waiting_queue.nope does not exist"),
        ("select=id%00", 400, "PGRST100", '"failed to parse select parameter'),
        ("select=%22id", 400, "PGRST100", '"failed to parse select parameter ("id)" (line 1, column 4)'),
        ("select=*,profiles(*)", 400, "PGRST127", "Feature not implemented"),
        ("id", 400, "PGRST100", '"failed to parse filter ()" (line 1, column 1)'),
        ("id=", 400, "PGRST100", '"failed to parse filter ()" (line 1, column 1)'),
        ("id=1", 400, "PGRST100", '"failed to parse filter (1)" (line 1, column 1)'),
        ("id=foo.1", 400, "PGRST100", '"failed to parse filter (foo.1)" (line 1, column 1)'),
        ("id=eq.1", 400, "22P02", 'invalid input syntax for type uuid: "1"'),
        ("id=eq.%C3%28", 400, "22P02", "invalid input syntax for type uuid"),
        ("id=eq.%FF%FE", 400, "22P02", "invalid input syntax for type uuid"),
        ("id=eq.%00", 400, "22021", 'invalid byte sequence for encoding "UTF8": 0x00'),
        ("id=in.(", 400, "PGRST100", '"failed to parse filter (in.()" (line 1, column 5)'),
        ("id=in.(%22a", 400, "PGRST100", '"failed to parse filter (in.("a)"'),
        ("id=is.maybe", 400, "PGRST100", '"failed to parse filter (is.maybe)"'),
        ("id=is.true", 400, "42804", "argument of IS TRUE must be type boolean, not type uuid"),
        ("id=like.x", 404, "42883", "operator does not exist: uuid ~~ text"),
        ("match_mode=match.[", 400, "2201B", "invalid regular expression: brackets [] not balanced"),
        ("match_mode=eq(any).{", 400, "22P02", 'malformed array literal: "{"'),
        ("joined_at=gt.yesterday-ish", 400, "22007", "invalid input syntax for type timestamp with time zone"),
        ("joined_at=gt.99999-13-45", 400, "22008", "date/time field value out of range"),
        ("nope=eq.1", 400, "42703", "column waiting_queue.nope does not exist"),
        ("preferences=cs.{", 400, "22P02", "invalid input syntax for type json"),
        ("preferences->=eq.1", 400, "PGRST100", '"failed to parse filter (preferences->)" (line 1, column 14)'),
        ("or=", 400, "PGRST100", '"failed to parse logic tree ()" (line 1, column 1)'),
        ("or=(id.eq.1", 400, "PGRST100", '"failed to parse logic tree ((id.eq.1)" (line 1, column 9)'),
        ("or=()", 400, "PGRST100", '"failed to parse logic tree (())" (line 1, column 2)'),
        ("and=(and" * 3, 400, "PGRST100", '"failed to parse logic tree'),
        ("and=(" + "and(" * 99 + "id.eq.1" + ")" * 100, 400, "PGRST127", "Feature not implemented"),
        ("order=id.sideways", 400, "PGRST100", '"failed to parse order (id.sideways)" (line 1, column 4)'),
        ("order=nope", 400, "42703", "column waiting_queue.nope does not exist"),
        ("limit=ten", 400, "PGRST100", '"failed to parse limit parameter (ten)" (line 1, column 1)'),
        ("limit=-1", 416, "PGRST103", "Requested range not satisfiable"),
        ("limit=99999999999999999999", 400, "PGRST100", '"failed to parse limit parameter'),
        ("limit=%D9%A3", 400, "PGRST100", '"failed to parse limit parameter'),
        ("offset=1.5", 400, "PGRST100", '"failed to parse offset parameter (1.5)" (line 1, column 1)'),
        ("offset=-1", 416, "PGRST103", "Requested range not satisfiable"),
        ("&".join(f"id=neq.{n:032x}" for n in range(150)), 200, "", ""),
        ("x=" + "y" * 9000, 414, "", "The address is longer than 8192 bytes"),
    ]
]
HEADERS: list[Case] = [
    rest("GET", QUEUE, None, 406, "PGRST107", "None of these media types are available: text/csv", accept="text/csv"),
    rest("GET", QUEUE, None, 406, "PGRST107", "None of these media types are available: ;;,", accept=";;,"),
    rest("GET", QUEUE, None, 406, "PGRST106", "Invalid schema: secret", accept_profile="secret"),
    rest("POST", QUEUE, ROW, 406, "PGRST106", "Invalid schema: auth", content_profile="auth"),
    rest("GET", f"{QUEUE}?limit=0", None, 406, "PGRST116", "Cannot coerce", accept="application/vnd.pgrst.object+json"),
    rest("GET", QUEUE, None, 200, "", "", prefer="count=many, return=, =x, ;;;, handling=strictly"),
    rest("GET", QUEUE, None, 400, "PGRST122", "Invalid preferences given", prefer="handling=strict, count=many"),
    rest("GET", QUEUE, None, 200, "", "", range="bytes=x-y"),
    rest("GET", QUEUE, None, 200, "", "", range="-"),
    rest("GET", QUEUE, None, 200, "", "", range="0-99999999999999999999"),
    rest("GET", QUEUE, None, 416, "PGRST103", "Requested range not satisfiable", range="9-1"),
    rest("GET", QUEUE, None, 416, "PGRST103", "Requested", range="5-9", prefer="count=exact"),
    rest("GET", QUEUE, None, 431, "", "The headers are larger than 32768 bytes", x="y" * 40_000),
    rest("GET", QUEUE, None, 401, "PGRST301", "Expected 3 parts in JWT; got 1", authorization="Bearer x"),
    rest("GET", QUEUE, None, 401, "PGRST301", "JWT cryptographic operation failed", authorization="Bearer a.b.c"),
    rest("GET", QUEUE, None, 200, "", "", authorization="Basic eDp5"),
    rest("GET", QUEUE, None, 401, "", "No API key found in request", apikey=""),
    rest("GET", QUEUE, None, 401, "", "Invalid API key", apikey="sb_secret_x"),
    rest("POST", QUEUE, b"a,b\n1,2", 400, "PGRST127", "Feature not implemented", content_type="text/csv"),
    rest("POST", QUEUE, b"a=1", 400, "PGRST127", "Feature", content_type="application/x-www-form-urlencoded"),
    rest("POST", QUEUE, b"<a/>", 400, "PGRST102", "Content-Type not acceptable: text/xml", content_type="text/xml"),
    rest("POST", QUEUE, b"{}", 400, "PGRST102", "Content-Type not acceptable: ", content_type=" ;;"),
]
ADDRESSES: list[Case] = [
    rest("GET", "/rest/v1/waiting_line", None, 404, "PGRST205", "Could not find the table 'public.waiting_line'"),
    rest("GET", "/rest/v1/pg_class", None, 404, "PGRST205", "Could not find the table 'public.pg_class'"),
    rest("GET", "/rest/v1/a/b/c", None, 404, "PGRST125", "Invalid path specified in request URL"),
    rest("POST", "/rest/v1/rpc/pg_sleep", b"{}", 404, "PGRST202", "Could not find the function public.pg_sleep"),
    rest("POST", FIND, b'{"x":1}', 404, "PGRST202", "Could not find the function public.find_match(x)"),
    rest("POST", FIND, b'{"p_user_id":"x"}', 400, "22P02", 'invalid input syntax for type uuid: "x"'),
    rest("PUT", QUEUE, b"{}", 405, "PGRST117", "Unsupported HTTP method: PUT"),
    rest("DELETE", FIND, None, 405, "PGRST117", "Unsupported HTTP method: DELETE"),
    rest("DELETE", QUEUE, None, 400, "21000", "DELETE requires a WHERE clause"),
    rest("PATCH", QUEUE, b"{}", 400, "21000", "UPDATE requires a WHERE clause"),
]
ROWS: list[Case] = [
    rest("POST", QUEUE, body, status, code, message)
    for body, status, code, message in [
        (b"", 400, "PGRST102", "Empty or invalid json"),
        (b"[1]", 400, "PGRST102", "Empty or invalid json"),
        (b'[{"user_id":"a"},{"match_mode":"b"}]', 400, "PGRST102", "All object keys must match"),
        (b'{"nope":1}', 400, "PGRST204", "Could not find the 'nope' column of 'waiting_queue' in the schema cache"),
        (b'{"user_id":[1]}', 400, "22P02", "invalid input syntax for type uuid"),
        (b'{"user_id":"x","user_id":1}', 400, "22P02", 'invalid input syntax for type uuid: "1"'),
        (b'{"match_mode":"\\u0000"}', 400, "22P05", "unsupported Unicode escape sequence"),
        (b'{"joined_at":1e300}', 400, "22", ""),
        (b'{"preferences":' + b"[" * 800 + b"]" * 800 + b"}", 403, "42501", "new row violates row-level security"),
        (b" " * 2_000_000, 413, "PGRST102", "The body is larger than 1048576 bytes"),
    ]
]


@pytest.fixture
async def client(database_url: str, client_for: Any) -> AsyncIterator[Any]:
    """A caller of the whole server who has the project's key and is not signed in."""
    parts = await build_parts(Settings(database_url=database_url, database_pool=2))
    async with running(parts):
        made = client_for([])
        made.app = build_app(parts)
        yield made


async def test_requests_to_postgrest(client: Any) -> None:
    """Queries, headers, addresses and rows: status, code and message as listed, in PostgREST's shape."""
    session = (await client.call("POST", SIGN_UP, {})).json
    token, row = session["access_token"], {"user_id": session["user"]["id"], "preferences": {"a": 1}}
    assert (await client.call("POST", QUEUE, row, token=token)).status == 201
    wrong = []
    for method, path, body, headers, status, code, message in (*QUERIES, *HEADERS, *ADDRESSES, *ROWS):
        own = None if "authorization" in headers else token
        answer = await client.call(method, path, body, headers=headers, token=own)
        said = answer.json if status >= 400 else {"message": ""}
        right = answer.status == status and str(said.get("code", "")).startswith(code)
        right = right and said["message"].startswith(message) and (not code or said.keys() == REST)
        if not right:
            wrong.append((method, path[:80], headers, answer.status, answer.body[:200]))
    assert wrong == [], "\n".join(map(str, wrong))


@pytest.mark.parametrize(
    ("method", "path", "status", "shape", "member", "says"),
    [
        ("POST", QUEUE, 400, REST, "code", {"PGRST102"}),
        ("PATCH", f"{QUEUE}?match_mode=eq.global", 400, REST, "code", {"PGRST102"}),
        ("POST", FIND, 400, REST, "code", {"PGRST102"}),
        ("POST", SIGN_UP, 400, AUTH, "error_code", {"bad_json"}),
        ("POST", TOKEN, 400, AUTH, "error_code", {"bad_json"}),
    ],
)
async def test_bodies_that_are_no_object(
    client: Any, method: str, path: str, status: int, shape: set[str], member: str, says: set[str]
) -> None:
    """However a body fails to be a JSON object, it is refused as such."""
    for body, headers in BODIES:
        answer = await client.call(method, path, body, headers=headers)
        if body == b"null" and shape == AUTH:
            continue  # nothing, as an empty body is
        assert (answer.status, answer.json.keys()) == (status, shape), (body[:40], answer.body)
        assert answer.json[member] in says


async def test_bodies_of_the_application(client: Any) -> None:
    """A join of a signed-in user with such a body is 400 with a sentence, an oversize one 413; without a user 401."""
    token = (await client.call("POST", SIGN_UP, {})).json["access_token"]
    for body, headers in BODIES:
        if body == b"null":
            continue
        answer = await client.call("POST", JOIN, body, headers=headers, token=token)
        assert (answer.status, answer.json.keys()) == (400, APP), (body[:40], answer.body)
        assert (await client.call("POST", JOIN, body, headers=headers)).json == {"error": "Unauthorized"}
    assert (await client.call("POST", JOIN, b" " * 2_000_000, token=token)).status == 413
    assert (await client.call("PUT", JOIN, {}, token=token)).status == 405


async def test_requests_to_auth(client: Any) -> None:
    """What is wrong with a sign-up, a sign-in, a refresh, a log-out or a token has the code that is listed for it."""
    token = (await client.call("POST", SIGN_UP, {})).json["access_token"]
    refresh = "/auth/v1/token?grant_type=refresh_token"
    for method, path, body, sent, status, code in [
        ("POST", SIGN_UP, {"email": "a@b.c", "password": 123456}, None, 400, "validation_failed"),
        ("POST", SIGN_UP, {"email": {"$gt": ""}, "password": "long enough"}, None, 400, "validation_failed"),
        ("POST", SIGN_UP, {"email": "a\0@b.c", "password": "long enough"}, None, 400, "validation_failed"),
        ("POST", SIGN_UP, {"email": "a@b@c", "password": "long enough"}, None, 400, "validation_failed"),
        ("POST", SIGN_UP, {"email": "a" * 300 + "@b.c", "password": "long enough"}, None, 400, "validation_failed"),
        ("POST", SIGN_UP, {"email": "a@b.c", "password": "x\0" * 9}, None, 400, "validation_failed"),
        ("POST", SIGN_UP, {"email": "a@b.c", "password": "é" * 40}, None, 422, "validation_failed"),
        ("POST", SIGN_UP, {"email": "a@b.c", "password": "short"}, None, 422, "weak_password"),
        ("POST", SIGN_UP, {"data": "x"}, None, 400, "validation_failed"),
        ("POST", "/auth/v1/token", {}, None, 400, "invalid_credentials"),
        ("POST", "/auth/v1/token?grant_type=%00", {}, None, 400, "invalid_credentials"),
        ("POST", TOKEN, {"email": "a@b.c", "password": ["x"]}, None, 400, "validation_failed"),
        ("POST", TOKEN, {"email": "nobody@b.c", "password": "x" * 5000}, None, 400, "invalid_credentials"),
        ("POST", refresh, {"refresh_token": "x" * 5000}, None, 400, "refresh_token_not_found"),
        ("POST", refresh, {"refresh_token": "\0"}, None, 400, "validation_failed"),
        ("GET", "/auth/v1/user", None, None, 401, "no_authorization"),
        ("GET", "/auth/v1/user", None, "x.y.z", 403, "bad_jwt"),
        ("PUT", "/auth/v1/user", {"email": "nobody"}, token, 400, "validation_failed"),
        ("PUT", "/auth/v1/user", {"data": [1]}, token, 400, "validation_failed"),
        ("POST", "/auth/v1/logout?scope=everything", None, token, 400, "validation_failed"),
        ("POST", "/auth/v1/logout", None, None, 401, "no_authorization"),
    ]:
        answer = await client.call(method, path, body, token=sent)
        assert (answer.status, answer.json["error_code"]) == (status, code), (path, body, answer.body)
        assert answer.headers["x-sb-error-code"] == code
