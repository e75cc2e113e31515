"""Signing in: by each kind of identity, through rate limits, and with fresh tokens."""

from __future__ import annotations

import time
from typing import Any

import pytest
from aiohttp import web

from harness.client import Account, Credentials, NotAdmitted, Transport
from harness.errors import Trouble
from harness.protocol.token import claims_of
from harness.target import Identities

OLD = {"code": 422, "error_code": "anonymous_provider_disabled", "msg": "Anonymous sign-ins are disabled"}
NEW = {"code": "anonymous_provider_disabled", "message": "Anonymous sign-ins are disabled"}
LIMITED = web.json_response({"code": "over_request_rate_limit"}, status=429, headers={"Retry-After": "0"})


async def sign_in(fake: Any, identity: Any = None, **parts: Any) -> Account:
    async with Transport(fake.target(**parts), timeout=0.5) as transport:
        return await transport.dialect.sign_in(identity)


async def test_a_user_signs_up_anonymously(fake: Any) -> None:
    """PROTOCOL 3: signInAnonymously; the user is the subject of the token."""
    account = await sign_in(fake)
    method, path, headers, body = fake.asked[-1]
    assert (method, path, body) == ("POST", "/auth/v1/signup", {"data": {}, "gotrue_meta_security": {}})
    assert headers["X-Supabase-Api-Version"] == "2024-01-01"
    assert account.user == claims_of(account.access_token)["sub"]


async def test_listed_users_sign_in_with_their_passwords_in_turn(fake: Any) -> None:
    """`fixed`: each participant takes the next of the list, and one too many is trouble."""
    listed = Identities(mode="fixed", users=(("a@x", "1"), ("b@x", "2")))
    async with Transport(fake.target(identities=listed)) as transport:
        await transport.dialect.sign_in(None)
        await transport.dialect.sign_in(None)
        with pytest.raises(Trouble, match="lists 2 users, and more are needed: list more"):
            await transport.dialect.sign_in(None)
    assert [body["email"] for _, _, _, body in fake.asked] == ["a@x", "b@x"]
    assert fake.asked[0][1] == "/auth/v1/token?grant_type=password"


async def test_a_secret_mints_users_without_a_call(fake: Any) -> None:
    """`jwt`: nobody is asked."""
    account = await sign_in(fake, identities=Identities(mode="jwt", jwt_secret="s" * 32))
    assert claims_of(account.access_token)["sub"] == account.user
    assert fake.asked == []


async def test_minting_needs_a_secret(fake: Any) -> None:
    """The target file forgot it."""
    with pytest.raises(Trouble, match="give jwt_secret"):
        await sign_in(fake, identities=Identities(mode="jwt"))


async def test_a_second_device_shares_the_account(fake: Any) -> None:
    """Another participant's account is an identity."""
    first = await sign_in(fake)
    assert await sign_in(fake, first) is first
    assert len(fake.asked) == 1


async def test_credentials_may_be_given(fake: Any) -> None:
    """Whatever the target file's mode."""
    await sign_in(fake, Credentials("a@x", "1"))
    assert fake.asked[-1][3]["email"] == "a@x"


async def test_a_rate_limit_is_waited_out(fake: Any) -> None:
    """429 with Retry-After: come again then."""
    fake.answers["POST /auth/v1/signup"] = [LIMITED, LIMITED, fake.healthy]
    assert (await sign_in(fake)).user
    assert len(fake.asked) == 3


async def test_a_limit_longer_than_our_patience_is_told(fake: Any) -> None:
    """An hour is not waited for."""
    fake.answers["POST /auth/v1/signup"] = [
        web.json_response({"msg": "Request rate limit reached"}, status=429, headers={"Retry-After": "3600"})
    ]
    with pytest.raises(NotAdmitted, match="sign-in was refused: 429 Request rate limit reached"):
        await sign_in(fake)


@pytest.mark.parametrize("body", [OLD, NEW])
async def test_forbidden_sign_up_is_trouble_that_says_what_to_do(fake: Any, body: dict[str, Any]) -> None:
    """Both shapes of GoTrue's errors; no user of this run can enter."""
    fake.answers["POST /auth/v1/signup"] = [web.json_response(body, status=422)]
    with pytest.raises(Trouble, match=r"does not let anonymous users sign up .*: allow it"):
        await sign_in(fake)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (web.Response(text="<html>", content_type="text/html"), "the answer is text/html, not JSON"),
        (web.json_response({"id": "U"}), "brought no session"),
        (web.json_response({"access_token": "x"}), "token that cannot be read: a token must have three parts"),
        (web.json_response({"access_token": "a.e30.c"}), "names no user"),
        (web.json_response({"msg": "Database error"}, status=500), "refused: 500 Database error"),
    ],
)
async def test_one_failed_sign_in_is_not_trouble(fake: Any, answer: web.Response, says: str) -> None:
    """It is about one user, and says what came."""
    fake.answers["POST /auth/v1/signup"] = [answer]
    with pytest.raises(NotAdmitted, match=says):
        await sign_in(fake)


async def test_a_stale_token_is_refreshed_before_the_next_call(fake: Any) -> None:
    """And the rotated refresh token replaces the old one."""
    async with Transport(fake.target()) as transport:
        account = Account("U", "old", "r0", stale_at=time.monotonic() - 1)
        await transport.dialect.join(account, "global")
    assert [path for _, path, _, _ in fake.asked] == ["/auth/v1/token?grant_type=refresh_token", "/api/matching/join"]
    assert fake.asked[0][3] == {"refresh_token": "r0"}
    assert account.refresh_token == "r"
    assert fake.asked[1][2]["Authorization"] == f"Bearer {account.access_token}"


async def test_a_failed_refresh_leaves_the_call_to_fail_by_itself(fake: Any) -> None:
    """The call's outcome then says so."""
    fake.answers["POST /auth/v1/token"] = [web.json_response({"msg": "no"}, status=400)]
    async with Transport(fake.target()) as transport:
        account = Account("U", "old", "r0", stale_at=time.monotonic() - 1)
        await transport.dialect.join(account, "global")
    assert fake.asked[-1][2]["Authorization"] == "Bearer old"
