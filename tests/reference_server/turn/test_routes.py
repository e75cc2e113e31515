"""TURN credentials over HTTP: for whom, and what stands where there is no relay."""

from __future__ import annotations

import base64
import time
from typing import Any
from uuid import uuid4

import orjson
import pytest

from reference_server.auth import TokenSigner, TokenVerifier
from reference_server.turn.credentials import Relay, password_of
from reference_server.turn.routes import routes

PATH = "/api/turn/credentials"
RELAY = Relay("north", ("turn:relay.example:3478",), 600)


@pytest.fixture
def client(verifier: TokenVerifier, client_for: Any) -> Any:
    return client_for(routes(RELAY, verifier))


@pytest.fixture
def user() -> str:
    return str(uuid4())


@pytest.fixture
def token(signer: TokenSigner, user: str) -> str:
    return signer.sign({"role": "authenticated", "sub": user, "exp": time.time() + 60})


async def test_a_user_gets_credentials(client: Any, user: str, token: str) -> None:
    """The name ends in the caller and begins with a time one lifetime ahead; nobody keeps the answer."""
    answer = await client.call("GET", PATH, token=token)
    expiry, _, named = answer.json["username"].partition(":")
    assert (answer.status, named, answer.json["ttl"]) == (200, user, 600)
    assert 0 <= time.time() + 600 - int(expiry) < 60
    assert answer.json["password"] == password_of(answer.json["username"], "north")
    assert answer.headers["cache-control"] == "no-store"


async def test_the_web_apps_cookie(client: Any, user: str, token: str) -> None:
    """The session cookie of the web app, in chunks, is as good as a header."""
    value = "base64-" + base64.urlsafe_b64encode(orjson.dumps({"access_token": token})).decode().rstrip("=")
    cookie = f"sb-127-auth-token.0={value[:50]}; sb-127-auth-token.1={value[50:]}"
    answer = await client.call("GET", PATH, headers={"cookie": cookie})
    assert answer.json["username"].endswith(user)


async def test_nobody_else(client: Any, signer: TokenSigner) -> None:
    """Without a token, with an expired one, and with the project's key alone there are none."""
    expired = signer.sign({"role": "authenticated", "sub": str(uuid4()), "exp": 1})
    for token in (None, expired, client.headers["apikey"], "a.b.c"):
        answer = await client.call("GET", PATH, token=token)
        assert (answer.status, answer.json) == (401, {"error": "Unauthorized"})


async def test_where_there_is_no_relay(verifier: TokenVerifier, client_for: Any, token: str) -> None:
    """Without a TURN server the answer says so, to who may ask."""
    answer = await client_for(routes(None, verifier)).call("GET", PATH, token=token)
    assert (answer.status, answer.json["error"]) == (404, "No TURN server is deployed")
