"""REST-49 to REST-60: what is refused, with which status and which code; the project's key; browsers."""

from __future__ import annotations

from uuid import uuid4

from conformance.rest.cast import message, the_cast
from conformance.rest.rows_of_ours import ask
from conformance.scenario import requires
from conformance.trial import Trial

ORIGIN = "https://app.example"
ASKED = "authorization,apikey,content-type,x-client-info,prefer,accept-profile,content-profile"


@requires("REST-49")
async def test_rest_49_unknown_table(trial: Trial) -> None:
    """404 with PGRST205, for reading and for writing."""
    caller = await trial.shared("stranger")
    (await trial.http.rest("GET", "no_such_table?select=*", caller)).expect(404, code="PGRST205")
    (await trial.http.rest("POST", "no_such_table", caller, body={"a": 1})).expect(404, code="PGRST205")


@requires("REST-50")
async def test_rest_50_unknown_column_in_a_write(trial: Trial) -> None:
    """400 with PGRST204, in a new row and in a change."""
    cast = await the_cast(trial)
    row = message(cast.session, cast.member.user, "odd", nope=1)
    reply = (await trial.http.rest("POST", "messages", cast.member, body=row)).expect(400, code="PGRST204")
    text = str(reply.fields.get("message"))
    reply.must("'nope' column of 'messages'" in text, f"the message {text!r}")
    path = f"chat_sessions?id=eq.{cast.session}"
    (await trial.http.rest("PATCH", path, cast.member, body={"nope": 1})).expect(400, code="PGRST204")


@requires("REST-51")
async def test_rest_51_no_json(trial: Trial) -> None:
    """A body that is no JSON, or is cut off, is 400 with PGRST102."""
    caller = await trial.shared("stranger")
    for body in (b"{", b"", b"sender_id=1", b'{"content": "a'):
        (await trial.http.rest("POST", "messages", caller, body=body)).expect(400, code="PGRST102")


@requires("REST-52")
async def test_rest_52_unknown_schema(trial: Trial) -> None:
    """A schema that is not exposed is 406 with PGRST106: auth and its passwords above all."""
    caller = await trial.shared("stranger")
    for schema in ("auth", "pg_catalog", "no_such_schema"):
        reply = await trial.http.rest("GET", "chat_sessions?select=*", caller, accept_profile=schema)
        reply.expect(406, code="PGRST106")
        (await trial.http.rest("GET", "users?select=*", caller, accept_profile=schema)).expect(404, 406)


@requires("REST-53")
async def test_rest_53_a_value_of_another_type(trial: Trial) -> None:
    """400 with 22P02, in a filter and in a row: a client's mistake, not the server's."""
    cast = await the_cast(trial)
    path = "chat_sessions?select=id&user1_id=eq.undefined"
    (await trial.http.rest("GET", path, cast.member)).expect(400, code="22P02")
    row = message("undefined", cast.member.user, "lost")
    (await trial.http.rest("POST", "messages", cast.member, body=row)).expect(400, code="22P02")


@requires("REST-54")
async def test_rest_54_a_value_that_is_not_allowed(trial: Trial) -> None:
    """400 with 23514: a mode and a status that do not exist."""
    cast = await the_cast(trial)
    row = {"user_id": cast.stranger.user, "match_mode": "nonsense"}
    (await trial.http.rest("POST", "waiting_queue", cast.stranger, body=row)).expect(400, code="23514")
    path = f"chat_sessions?id=eq.{cast.over}"
    (await trial.http.rest("PATCH", path, cast.former, body={"status": "nonsense"})).expect(400, code="23514")


@requires("REST-55")
async def test_rest_55_a_row_that_is_not_there(trial: Trial) -> None:
    """409 with 23503: a friendship with a user who does not exist."""
    caller = await trial.shared("stranger")
    reply = await ask(trial, caller, caller, receiver_id=str(uuid4()))
    reply.expect(409, code="23503")


@requires("REST-56")
async def test_rest_56_not_allowed(trial: Trial) -> None:
    """A row that the policies forbid is 403 with 42501 for a user, and 401 for who is not signed in."""
    cast = await the_cast(trial)
    row = message(cast.session, cast.stranger.user, "intruder")
    reply = (await trial.http.rest("POST", "messages", cast.stranger, body=row)).expect(403, code="42501")
    text = str(reply.fields.get("message"))
    reply.must('row-level security policy for table "messages"' in text, f"the message {text!r}")
    reply = (await trial.http.rest("POST", "messages", body=row)).expect(401, code="42501")
    asked = reply.headers.get("www-authenticate", "")
    reply.must(asked.startswith("Bearer"), f"WWW-Authenticate {asked or 'missing'}")


@requires("REST-57")
async def test_rest_57_the_shape_of_an_error(trial: Trial) -> None:
    """Every error is JSON with code, message, details and hint: clients read all four."""
    caller = await trial.shared("stranger")
    for path in ("no_such_table", "messages?nope=eq.1", "messages?content=foo", "messages?id=eq.x"):
        reply = await trial.http.rest("GET", path, caller)
        reply.must(reply.status in {400, 404}, f"{reply.described} instead of a refusal")
        keys = set(reply.fields)
        reply.must(keys == {"code", "message", "details", "hint"}, f"an error with the members {sorted(keys)}")
        kind = reply.headers.get("content-type", "")
        reply.must(kind.startswith("application/json"), f"Content-Type {kind}")


@requires("REST-58")
async def test_rest_58_no_key(trial: Trial) -> None:
    """Without the project's key nothing is served, not even to a signed-in user."""
    caller = await trial.shared("stranger")
    for path in ("chat_sessions?select=id", "messages?select=id"):
        reply = await trial.http.rest("GET", path, caller, apikey=None)
        reply.must(isinstance(reply.expect(401).fields.get("message"), str), f"no message: {reply.described}")


@requires("REST-59")
async def test_rest_59_a_wrong_key(trial: Trial) -> None:
    """A key that is not the project's is 401, whether it is nonsense or nearly right."""
    for key in ("nonsense", trial.target.anon_key[:-4] + "AAAA"):
        reply = await trial.http.rest("GET", "chat_sessions?select=id", apikey=key, authorization=None)
        reply.must(isinstance(reply.expect(401).fields.get("message"), str), f"no message: {reply.described}")


@requires("REST-60")
async def test_rest_60_browsers(trial: Trial) -> None:
    """A preflight allows the client's headers, and the answers may be read, Content-Range included."""
    url = f"{trial.target.supabase_url}/rest/v1/chat_sessions"
    asks = {"origin": ORIGIN, "access-control-request-method": "PATCH", "access-control-request-headers": ASKED}
    reply = await trial.http.send("OPTIONS", url, headers=asks)
    reply.must(200 <= reply.status < 300, f"{reply.described} to a preflight")
    allowed = {name.strip().lower() for name in reply.headers.get("access-control-allow-headers", "").split(",")}
    missing = set() if "*" in allowed else set(ASKED.split(",")) - allowed
    reply.must(not missing, f"a preflight that does not allow {', '.join(sorted(missing))}")
    read = (await trial.http.rest("GET", "chat_sessions?select=id", origin=ORIGIN)).expect(200, 401)
    origin = read.headers.get("access-control-allow-origin", "")
    read.must(origin in {"*", ORIGIN}, f"Access-Control-Allow-Origin {origin or 'missing'}")
    shown = read.headers.get("access-control-expose-headers", "").lower()
    read.must(shown == "*" or "content-range" in shown, f"Access-Control-Expose-Headers {shown or 'missing'}")
