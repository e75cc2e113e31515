"""Who calls: header, cookie, and the project's key."""

from __future__ import annotations

import base64

import orjson
import pytest
from starlette.requests import Request

from reference_server.auth import TokenError, TokenSigner, anon_key
from reference_server.web.caller import Gateway, bearer_token, cookie_token, session_token


def request(query: str = "", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": raw})


def cookie(session: dict[str, object]) -> str:
    return "base64-" + base64.urlsafe_b64encode(orjson.dumps(session)).decode().rstrip("=")


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer a.b.c", "a.b.c"), ("bearer  a.b.c ", "a.b.c"), ("Basic x", None), ("Bearer", None), ("", None)],
)
def test_bearer_token(header: str, token: str | None) -> None:
    """Only the scheme Bearer counts, in any case."""
    assert bearer_token(request(authorization=header)) == token


def test_cookie_of_the_web_app() -> None:
    """The session cookie is read whole, and in chunks."""
    value = cookie({"access_token": "t.o.k", "filler": "x" * 50})
    assert cookie_token(request(cookie=f"other=1; sb-127-auth-token={value}")) == "t.o.k"
    chunks = f"sb-127-auth-token.1={value[40:]}; sb-127-auth-token.0={value[:40]}"
    assert cookie_token(request(cookie=chunks)) == "t.o.k"


def test_older_cookies_are_json() -> None:
    """A cookie without the prefix is the session as JSON, written as cookies must be."""
    assert cookie_token(request(cookie="sb-x-auth-token=%7B%22access_token%22%3A%22o.l.d%22%7D")) == "o.l.d"


def test_the_cookie_of_the_host_called_comes_first() -> None:
    """Of several projects' cookies the one that is named after the host counts; where it is broken, another."""
    mine, other = cookie({"access_token": "m.i.n"}), cookie({"access_token": "o.t.h"})
    cookies = f"sb-a-auth-token={other}; sb-127-auth-token={mine}"
    assert cookie_token(request(host="127.0.0.1:3000", cookie=cookies)) == "m.i.n"
    assert cookie_token(request(host="127.0.0.1:3000", cookie=cookies.replace(mine, "x"))) == "o.t.h"


def test_a_whole_cookie_before_chunks() -> None:
    """Chunks that an earlier, longer session has left behind do not count beside a whole cookie."""
    whole, old = cookie({"access_token": "n.e.w"}), cookie({"access_token": "o.l.d"})
    assert cookie_token(request(cookie=f"sb-x-auth-token.0={old}; sb-x-auth-token={whole}")) == "n.e.w"


@pytest.mark.parametrize("value", ["", "base64-!!!", "base64-e30", cookie({"access_token": 1}), "base64-WzFd", "ä"])
def test_broken_cookies_name_nobody(value: str) -> None:
    """A cookie that is not such a session names nobody, and is no error."""
    assert cookie_token(request(cookie=f"sb-x-auth-token={value}")) is None


def test_header_before_cookie() -> None:
    """Where both are there the header counts."""
    both = request(authorization="Bearer h", cookie=f"sb-x-auth-token={cookie({'access_token': 'c'})}")
    assert session_token(both) == "h"


def test_gateway_takes_the_projects_key_only(gateway: Gateway, signer: TokenSigner) -> None:
    """The key passes in header or query; none, a foreign one and a user's token do not."""
    key = anon_key(signer)
    user = signer.sign({"role": "authenticated", "sub": "00000000-0000-0000-0000-000000000001", "exp": 9e9})
    assert gateway.refusal(request(apikey=key)) is None
    assert gateway.refusal(request(query=f"apikey={key}")) is None
    for refused in (request(), request(apikey=""), request(apikey="x"), request(apikey=user)):
        refusal = gateway.refusal(refused)
        assert refusal is not None
        assert refusal.status_code == 401


def test_the_caller_is_the_token_or_the_key(gateway: Gateway, signer: TokenSigner) -> None:
    """The bearer token names the caller; without one the key does, as anon; a bad token is no anon."""
    key = anon_key(signer)
    user = signer.sign({"role": "authenticated", "sub": "00000000-0000-0000-0000-000000000001", "exp": 9e9})
    assert gateway.caller(request(apikey=key, authorization=f"Bearer {user}")).role == "authenticated"
    assert gateway.caller(request(apikey=key)).role == "anon"
    with pytest.raises(TokenError):
        gateway.caller(request(apikey=key, authorization="Bearer nonsense"))
