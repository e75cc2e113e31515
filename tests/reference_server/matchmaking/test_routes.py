"""The application's own API: every answer of join and leave, over an engine that does what it is told."""

from __future__ import annotations

import time
from uuid import UUID, uuid4

import orjson
import pytest

from reference_server.db import Unavailable
from reference_server.limits.join_limit import TooManyJoins
from reference_server.matchmaking.engine import Match, NoSuchUser, NotQueued, Status
from reference_server.matchmaking.routes import routes


class ToldEngine:
    """Answers a join with `match` or `error`, and notes who called."""

    name = "told"

    def __init__(self) -> None:
        self.match: Match | None = None
        self.error: Exception | None = None
        self.calls: list[tuple[object, ...]] = []

    async def join(self, user: UUID, mode: str) -> Match | None:
        self.calls.append(("join", user, mode))
        if self.error:
            raise self.error
        return self.match

    async def leave(self, user: UUID) -> None:
        self.calls.append(("leave", user))
        if self.error:
            raise self.error

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def alive(self, user: UUID) -> None: ...
    async def vanished(self, user: UUID) -> None: ...


class Watched:
    """A liveness that notes who was seen."""

    def __init__(self) -> None:
        self.users: list[UUID] = []

    def seen(self, user: UUID) -> None:
        self.users.append(user)

    def socket_opened(self, user: UUID, socket: int) -> None: ...
    def socket_closed(self, user: UUID, socket: int) -> None: ...


@pytest.fixture
def engine() -> ToldEngine:
    return ToldEngine()


@pytest.fixture
def liveness() -> Watched:
    return Watched()


@pytest.fixture
def client(client_for, engine, verifier, liveness):
    """A caller of the two routes."""
    return client_for(routes(engine, verifier, liveness))


@pytest.fixture
def user() -> UUID:
    return uuid4()


@pytest.fixture
def token(signer, user) -> str:
    """The user's token."""
    return signer.sign({"role": "authenticated", "sub": str(user), "exp": int(time.time()) + 60})


JOIN = "/api/matching/join"
LEAVE = "/api/matching/leave"


async def test_a_join_that_waits(client, engine, liveness, user, token):
    """200 with the documented message and no match; the mode is the documented default; the user was seen."""
    answer = await client.call("POST", JOIN, token=token)
    assert (answer.status, answer.json) == (200, {"message": "Joined queue successfully"})
    assert engine.calls == [("join", user, "buddies_first")]
    assert liveness.users == [user]


async def test_a_join_that_is_matched_at_once(client, engine, user, token):
    """The match stands in the answer."""
    engine.match = Match(uuid4(), uuid4(), user)
    answer = await client.call("POST", JOIN, {"matchMode": "global"}, token=token)
    assert answer.json["message"] == "Joined queue successfully"
    assert answer.json["match"] == {
        "session_id": str(engine.match.session_id),
        "partner_id": str(engine.match.partner_id),
        "offerer_id": str(user),
    }
    assert engine.calls == [("join", user, "global")]


async def test_the_web_apps_cookie_is_taken(client, engine, user, token):
    """The session cookie of the deployed app names the caller as well."""
    import base64

    session = base64.urlsafe_b64encode(orjson.dumps({"access_token": token})).decode().rstrip("=")
    answer = await client.call("POST", JOIN, headers={"cookie": f"sb-127-auth-token=base64-{session}"})
    assert answer.status == 200
    assert engine.calls[0][1] == user


@pytest.mark.parametrize("path", [JOIN, LEAVE])
@pytest.mark.parametrize("claims", [None, {"role": "anon"}, {"role": "authenticated", "exp": 1}])
async def test_who_is_not_signed_in_is_refused(client, engine, signer, user, path, claims):
    """No token, the anon key, an expired token: 401 and nothing happens."""
    base = {"sub": str(user), "exp": int(time.time()) + 60}
    token = None if claims is None else signer.sign(base | claims)
    answer = await client.call("POST", path, token=token)
    assert (answer.status, answer.json) == (401, {"error": "Unauthorized"})
    assert engine.calls == []


@pytest.mark.parametrize("path", [JOIN, LEAVE])
async def test_nonsense_for_a_token_is_refused(client, path):
    """401, not 500."""
    assert (await client.call("POST", path, token="nonsense")).status == 401


@pytest.mark.parametrize("body", [b"{", b"[]", {"matchMode": "nobody"}, {"matchMode": ["global"]}, {"matchMode": None}])
async def test_a_body_that_makes_no_sense_is_refused(client, engine, token, body):
    """400 with a reason, and nobody joins."""
    answer = await client.call("POST", JOIN, body, token=token)
    assert answer.status == 400
    assert answer.json["error"]
    assert engine.calls == []


@pytest.mark.parametrize("error", [Unavailable("gone"), NotQueued("stopped"), ConnectionResetError()])
async def test_a_join_that_fails(client, engine, token, error):
    """500 with the documented text."""
    engine.error = error
    answer = await client.call("POST", JOIN, token=token)
    assert (answer.status, answer.json) == (500, {"error": "Failed to join queue"})


async def test_a_join_of_a_user_who_was_deleted(client, engine, user, token):
    """401 as for somebody who is not signed in: his token is still good, but it names nobody."""
    engine.error = NoSuchUser(user)
    answer = await client.call("POST", JOIN, token=token)
    assert (answer.status, answer.json) == (401, {"error": "Unauthorized"})


async def test_a_leave(client, engine, user, token):
    """200, and the engine hears of it."""
    answer = await client.call("POST", LEAVE, token=token)
    assert (answer.status, answer.json) == (200, {"message": "Left queue successfully"})
    assert engine.calls == [("leave", user)]


async def test_a_leave_that_fails(client, engine, token):
    """500 with a text."""
    engine.error = Unavailable("gone")
    answer = await client.call("POST", LEAVE, token=token)
    assert (answer.status, answer.json) == (500, {"error": "Failed to leave queue"})


async def test_a_join_that_comes_too_often(client, engine, token):
    """429 in the documented words, with the time to wait (PROTOCOL 4; RFC 6585 section 4)."""
    engine.error = TooManyJoins(41.2)
    answer = await client.call("POST", JOIN, token=token)
    assert (answer.status, answer.json) == (429, {"error": "Too many attempts. Please wait."})
    assert answer.headers["retry-after"] == "42"


STATUS = "/api/matching/status"


class TellingEngine(ToldEngine):
    """Tells everybody the same status."""

    def __init__(self, status: Status | Exception) -> None:
        super().__init__()
        self._status = status

    async def status(self, _user: UUID) -> Status:
        if isinstance(self._status, Exception):
            raise self._status
        return self._status


@pytest.mark.parametrize("state", ["waiting", "expired", "idle"])
async def test_status_without_a_match(client_for, verifier, liveness, user, token, state):
    """The caller is told where he stands, and asking is a sign of life."""
    client = client_for(routes(TellingEngine(Status(state)), verifier, liveness))
    answer = await client.call("GET", STATUS, token=token)
    assert (answer.status, answer.json) == (200, {"status": state})
    assert liveness.users == [user]


async def test_status_of_a_matched_user(client_for, verifier, liveness, user, token):
    """He is told his match as a join would."""
    match = Match(uuid4(), uuid4(), user)
    client = client_for(routes(TellingEngine(Status("matched", match)), verifier, liveness))
    answer = await client.call("GET", STATUS, token=token)
    told = {"session_id": str(match.session_id), "partner_id": str(match.partner_id), "offerer_id": str(user)}
    assert answer.json == {"status": "matched", "match": told}


async def test_status_needs_a_caller_and_a_database(client_for, verifier, liveness, token):
    """401 without a user, 503 while the database is out of reach."""
    client = client_for(routes(TellingEngine(Unavailable("gone")), verifier, liveness))
    assert (await client.call("GET", STATUS)).status == 401
    assert (await client.call("GET", STATUS, token=token)).status == 503


async def test_an_engine_that_tells_no_status_has_no_such_route(client, token):
    """The documented deployment does not know it."""
    assert (await client.call("GET", STATUS, token=token)).status == 404


async def test_a_stopping_server_sends_joins_away(client_for, engine, verifier, liveness, token):
    """503 with Retry-After (RFC 9110 section 15.6.4), and the engine hears nothing of it; a leave is still taken."""
    client = client_for(routes(engine, verifier, liveness, lambda: True))
    answer = await client.call("POST", JOIN, token=token)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.json == {"error": "The server is stopping. Please try again."}
    assert engine.calls == []
    assert (await client.call("POST", LEAVE, token=token)).status == 200
