"""Auth over HTTP: sign-up, tokens, user, log-out, in the shapes that the official clients parse."""

from __future__ import annotations

import asyncio
from typing import Any

import jwt
import pytest

from reference_server.auth import TokenSigner, TokenVerifier
from reference_server.auth.keys import made_key
from reference_server.auth.routes import routes
from reference_server.db import Database
from reference_server.settings import Settings
from reference_server.web.caller import Gateway
from tests.reference_server.pieces import deep

PERSON = {"email": "Ada@Example.com", "password": "difference engine"}
NEW_SHAPE = {"x-supabase-api-version": "2024-01-01"}


@pytest.fixture
def client(
    settings: Settings,
    shared: Database,
    signer: TokenSigner,
    verifier: TokenVerifier,
    gateway: Gateway,
    client_for: Any,
) -> Any:
    return client_for(routes(settings, shared, signer, verifier, gateway))


async def test_anonymous_sign_up(client: Any, verifier: TokenVerifier) -> None:
    """An empty sign-up makes an anonymous user whose token speaks for him."""
    answer = await client.call("POST", "/auth/v1/signup", {"data": {"nick": "a"}, "gotrue_meta_security": {}})
    session = answer.json
    assert answer.status == 200
    assert (session["token_type"], session["expires_in"], len(session["refresh_token"])) == ("bearer", 3600, 12)
    assert session["user"]["is_anonymous"] is True
    assert session["user"]["user_metadata"] == {"nick": "a"}
    claims = verifier.verify(session["access_token"])
    assert str(claims.sub) == session["user"]["id"]
    assert claims.raw["iss"] == "http://server.test/auth/v1"
    assert claims.raw["amr"][0]["method"] == "anonymous"
    assert session["expires_at"] == claims.expires_at


async def test_metadata_is_nested_no_deeper_than_it_can_be_told(client: Any) -> None:
    """What is taken at sign-up or by PUT stands in every later answer; what is not leaves no account behind."""
    taken = 0
    for levels in range(240, 253):
        person = {"email": f"deep{levels}@example.com", "password": "long enough"}
        made = await client.call("POST", "/auth/v1/signup", person | {"data": deep(levels)})
        signed_in = await client.call("POST", "/auth/v1/token?grant_type=password", person)
        assert (made.status, signed_in.status) in {(200, 200), (400, 400)}
        if made.status == 200:
            assert signed_in.json["user"]["user_metadata"] == deep(levels)
            taken = levels
    assert 240 <= taken < 252
    token = (await client.call("POST", "/auth/v1/signup", {})).json["access_token"]
    for levels, status in ((taken, 200), (taken + 1, 400)):
        put = await client.call("PUT", "/auth/v1/user", {"data": deep(levels)}, token=token)
        assert put.status == status
    told = await client.call("GET", "/auth/v1/user", token=token)
    assert (told.status, told.json["user_metadata"]) == (200, deep(taken))


async def test_sign_up_and_sign_in_with_password(client: Any) -> None:
    """A user signs up and in with e-mail address and password; the address is not case-sensitive."""
    made = (await client.call("POST", "/auth/v1/signup", PERSON)).json
    again = await client.call("POST", "/auth/v1/token?grant_type=password", PERSON | {"email": "ADA@example.com"})
    assert again.status == 200
    assert again.json["user"]["id"] == made["user"]["id"]
    assert again.json["user"]["email"] == "ada@example.com"
    assert again.json["user"]["identities"][0]["provider"] == "email"
    assert again.json["user"]["app_metadata"] == {"provider": "email", "providers": ["email"]}


CLAIMS = {
    *("iss", "sub", "aud", "exp", "iat", "email", "phone", "app_metadata", "user_metadata", "role", "aal", "amr"),
    *("session_id", "is_anonymous"),
}
USER = {
    *("id", "aud", "role", "email", "email_confirmed_at", "phone", "confirmed_at", "last_sign_in_at", "app_metadata"),
    *("user_metadata", "identities", "created_at", "updated_at", "is_anonymous"),
}
IDENTITY = {
    *("identity_id", "id", "user_id", "identity_data", "provider", "last_sign_in_at", "created_at", "updated_at"),
    "email",
}


async def test_what_a_session_says(client: Any, verifier: TokenVerifier) -> None:
    """Claims, user and identity have the listed members, also after a refresh, which stays in the same session."""
    made = (await client.call("POST", "/auth/v1/signup", PERSON | {"data": {"nick": "a"}})).json
    renewed = (await refresh(client, made["refresh_token"])).json
    raw = [verifier.verify(session["access_token"]).raw for session in (made, renewed)]
    for session, claims in zip((made, renewed), raw, strict=True):
        assert claims.keys() == CLAIMS
        assert (claims["aud"], claims["role"], claims["aal"]) == ("authenticated", "authenticated", "aal1")
        assert claims["amr"][0].keys() == {"method", "timestamp"}
        assert claims["amr"][0]["method"] == "password"
        assert session["user"].keys() == USER
        assert session["user"]["identities"][0].keys() == IDENTITY
        assert claims["user_metadata"] == session["user"]["user_metadata"] == {"nick": "a"}
    assert raw[0]["session_id"] == raw[1]["session_id"]


REFUSALS: list[tuple[str, Any, int, str]] = [
    ("/signup", {"email": "a@b.c", "password": "short"}, 422, "weak_password"),
    ("/signup", {"email": "a@b.c", "password": "x" * 73}, 422, "validation_failed"),
    ("/signup", {"email": "nobody", "password": "long enough"}, 400, "validation_failed"),
    ("/signup", {"email": "a@b.c"}, 400, "validation_failed"),
    ("/signup", {"password": "long enough"}, 400, "validation_failed"),
    ("/signup", {"email": ["a@b.c"], "password": "long enough"}, 400, "validation_failed"),
    ("/signup", {"data": [1]}, 400, "validation_failed"),
    ("/signup", {"data": {"x": "\0"}}, 400, "validation_failed"),
    ("/signup", b'{"data": {"x":' + b"[" * 500 + b"]" * 500 + b"}}", 400, "validation_failed"),
    ("/signup", {"phone": "123"}, 400, "phone_provider_disabled"),
    ("/signup", b"{", 400, "bad_json"),
    ("/signup", [], 400, "bad_json"),
    ("/signup", b" " * 2_000_000, 413, "request_too_large"),
    ("/token?grant_type=password", {"email": "a@b.c", "password": "wrong"}, 400, "invalid_credentials"),
    ("/token?grant_type=password", {"email": "a@b.c"}, 400, "validation_failed"),
    ("/token?grant_type=magic", {}, 400, "invalid_credentials"),
    ("/token?grant_type=refresh_token", {"refresh_token": "x"}, 400, "refresh_token_not_found"),
]


async def test_refusals_in_both_shapes(client: Any) -> None:
    """Each refusal has its status and code, in the old shape and in the new."""
    for path, body, status, code in REFUSALS:
        old = await client.call("POST", f"/auth/v1{path}", body)
        new = await client.call("POST", f"/auth/v1{path}", body, headers=NEW_SHAPE)
        assert (old.status, old.json["code"], old.json["error_code"]) == (status, status, code), (path, body)
        assert old.json["msg"] == new.json["message"] != ""
        assert (new.status, new.json["code"], new.headers["x-sb-error-code"]) == (status, code, code)
        assert new.headers["x-supabase-api-version"] == "2024-01-01"


async def test_email_is_taken_once(client: Any) -> None:
    """A second sign-up with the same address is refused."""
    await client.call("POST", "/auth/v1/signup", PERSON)
    answer = await client.call("POST", "/auth/v1/signup", PERSON)
    assert (answer.status, answer.json["error_code"]) == (422, "user_already_exists")


async def test_wrong_password(client: Any) -> None:
    """A known user with another password is refused as an unknown one is."""
    await client.call("POST", "/auth/v1/signup", PERSON)
    answer = await client.call("POST", "/auth/v1/token?grant_type=password", PERSON | {"password": "no engine"})
    assert (answer.status, answer.json["msg"]) == (400, "Invalid login credentials")


async def refresh(client: Any, token: str) -> Any:
    return await client.call("POST", "/auth/v1/token?grant_type=refresh_token", {"refresh_token": token})


async def age_refresh_tokens(database: Database, seconds: int) -> None:
    """Makes every refresh token's use lie that much further back."""
    async with database.connection() as connection:
        await connection.execute(
            "update auth.refresh_tokens set revoked_at = revoked_at - make_interval(secs => $1)", seconds
        )


async def test_refresh_rotates_and_reuse_is_refused(client: Any, shared: Database) -> None:
    """A refresh token brings the next; used again after the reuse interval it ends the whole session's tokens."""
    first = (await client.call("POST", "/auth/v1/signup", {})).json
    second = await refresh(client, first["refresh_token"])
    assert second.status == 200
    assert second.json["user"]["id"] == first["user"]["id"]
    assert second.json["refresh_token"] != first["refresh_token"]
    third = await refresh(client, second.json["refresh_token"])
    await age_refresh_tokens(shared, 11)
    for token in (first["refresh_token"], third.json["refresh_token"]):
        answer = await refresh(client, token)
        assert (answer.status, answer.json["error_code"]) == (400, "refresh_token_already_used")


async def test_honest_reuse_brings_the_active_token(client: Any, shared: Database) -> None:
    """A token used twice within the interval, and the parent of the active one at any time, bring the active one."""
    first = (await client.call("POST", "/auth/v1/signup", {})).json["refresh_token"]
    second = (await refresh(client, first)).json["refresh_token"]
    third = (await refresh(client, second)).json["refresh_token"]
    within = await refresh(client, first)
    assert (within.status, within.json["refresh_token"]) == (200, third)
    await age_refresh_tokens(shared, 3600)
    lost = await refresh(client, second)
    assert (lost.status, lost.json["refresh_token"]) == (200, third)


async def test_without_an_interval_reuse_is_refused_at_once(
    shared: Database, signer: Any, verifier: Any, gateway: Any, client_for: Any
) -> None:
    """With an interval of 0 a used token is refused when it comes again, and its successor with it."""
    strict = client_for(routes(Settings(refresh_reuse_interval=0), shared, signer, verifier, gateway))
    first = (await strict.call("POST", "/auth/v1/signup", {})).json["refresh_token"]
    second = (await refresh(strict, first)).json["refresh_token"]
    for token in (first, second):
        answer = await refresh(strict, token)
        assert (answer.status, answer.json["error_code"]) == (400, "refresh_token_already_used")


async def test_parallel_refresh(client: Any) -> None:
    """Refreshes with one token at the same moment all succeed, with one and the same successor."""
    token = (await client.call("POST", "/auth/v1/signup", {})).json["refresh_token"]
    answers = await asyncio.gather(*(refresh(client, token) for _ in range(3)))
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert len({answer.json["refresh_token"] for answer in answers}) == 1


async def test_change_of_metadata(client: Any) -> None:
    """PUT user merges metadata; a null removes its key."""
    session = (await client.call("POST", "/auth/v1/signup", {"data": {"nick": "a", "age": 3}})).json
    changes = {"data": {"nick": None, "city": "x"}}
    answer = await client.call("PUT", "/auth/v1/user", changes, token=session["access_token"])
    assert (answer.status, answer.json["user_metadata"]) == (200, {"age": 3, "city": "x"})


async def test_change_of_password(client: Any) -> None:
    """A new password takes the old one's place and ends the other sessions; the same and a weak one are refused."""
    await client.call("POST", "/auth/v1/signup", PERSON)
    sessions = [(await client.call("POST", "/auth/v1/token?grant_type=password", PERSON)).json for _ in range(2)]
    own, other = (session["access_token"] for session in sessions)
    for password, code in (("short", "weak_password"), (PERSON["password"], "same_password")):
        refused = await client.call("PUT", "/auth/v1/user", {"password": password}, token=own)
        assert (refused.status, refused.json["error_code"]) == (422, code)
    assert (await client.call("PUT", "/auth/v1/user", {"password": "analytical"}, token=own)).status == 200
    old = await client.call("POST", "/auth/v1/token?grant_type=password", PERSON)
    new = await client.call("POST", "/auth/v1/token?grant_type=password", PERSON | {"password": "analytical"})
    assert (old.status, new.status) == (400, 200)
    found = [(await client.call("GET", "/auth/v1/user", token=token)).status for token in (own, other)]
    assert found == [200, 403]


async def test_an_anonymous_user_becomes_a_known_one(client: Any) -> None:
    """With an e-mail address and a password an anonymous user is one no longer; with a password alone he stays."""
    token = (await client.call("POST", "/auth/v1/signup", {})).json["access_token"]
    alone = await client.call("PUT", "/auth/v1/user", {"password": "difference"}, token=token)
    assert (alone.status, alone.json["error_code"]) == (422, "validation_failed")
    answer = await client.call("PUT", "/auth/v1/user", PERSON, token=token)
    assert (answer.json["is_anonymous"], answer.json["email"]) == (False, "ada@example.com")
    assert (await client.call("POST", "/auth/v1/token?grant_type=password", PERSON)).status == 200
    other = (await client.call("POST", "/auth/v1/signup", {})).json["access_token"]
    taken = await client.call("PUT", "/auth/v1/user", {"email": PERSON["email"]}, token=other)
    assert (taken.status, taken.json["error_code"]) == (422, "email_exists")


async def test_sign_ups_can_be_closed(
    shared: Database, signer: Any, verifier: Any, gateway: Any, client_for: Any
) -> None:
    """Without anonymous sign-ins, or without any, the refusal says which; the settings tell it beforehand."""
    for settings, code in (
        (Settings(anonymous_sign_ins=False), "anonymous_provider_disabled"),
        (Settings(sign_ups=False), "signup_disabled"),
    ):
        client = client_for(routes(settings, shared, signer, verifier, gateway))
        answer = await client.call("POST", "/auth/v1/signup", {})
        assert (answer.status, answer.json["error_code"]) == (422, code)
        told = (await client.call("GET", "/auth/v1/settings")).json
        assert told["disable_signup"] is not settings.sign_ups
        assert told["external"]["anonymous_users"] is settings.anonymous_sign_ins


async def test_es256_over_http(settings: Settings, shared: Database, client_for: Any) -> None:
    """With an elliptic key, a session's token can be checked with nothing but the key set."""
    signer = TokenSigner(settings.jwt_secret, made_key(settings.jwt_secret))
    verifier = TokenVerifier(*signer.verification_keys())
    client = client_for(routes(settings, shared, signer, verifier, Gateway(verifier)))
    token = (await client.call("POST", "/auth/v1/signup", {})).json["access_token"]
    keys = (await client.call("GET", "/auth/v1/.well-known/jwks.json")).json["keys"]
    key = next(key for key in keys if key["kid"] == jwt.get_unverified_header(token)["kid"])
    claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["ES256"], audience="authenticated")
    answer = await client.call("GET", "/auth/v1/user", token=token)
    assert (answer.status, answer.json["id"]) == (200, claims["sub"])
    assert "d" not in key


async def test_refresh_without_token_is_oauths_error(client: Any) -> None:
    """Without a refresh token the refusal has OAuth's own shape."""
    answer = await client.call("POST", "/auth/v1/token?grant_type=refresh_token", {})
    assert (answer.status, answer.json) == (
        400,
        {"error": "invalid_request", "error_description": "refresh_token required"},
    )


async def test_user(client: Any) -> None:
    """GET user answers with the user of the token, with what the Python client wants."""
    session = (await client.call("POST", "/auth/v1/signup", {})).json
    answer = await client.call("GET", "/auth/v1/user", token=session["access_token"])
    assert answer.status == 200
    assert answer.json == session["user"]
    assert {"id", "app_metadata", "user_metadata", "aud", "created_at"} <= answer.json.keys()


async def test_user_refusals(client: Any, signer: TokenSigner) -> None:
    """No token is 401; a foreign token, the project's key, and an unknown user are 403."""
    none = await client.call("GET", "/auth/v1/user")
    assert (none.status, none.json["error_code"]) == (401, "no_authorization")
    foreign = jwt.encode({"role": "authenticated", "exp": 9e9}, "k" * 40, "HS256")
    bad = await client.call("GET", "/auth/v1/user", token=foreign)
    assert (bad.status, bad.json["error_code"]) == (403, "bad_jwt")
    assert bad.json["msg"].startswith("invalid JWT: unable to parse or verify signature, ")
    key = await client.call("GET", "/auth/v1/user", token=client.headers["apikey"])
    assert (key.status, key.json["msg"]) == (403, "invalid claim: missing sub claim")
    ghost = signer.sign({"role": "authenticated", "sub": "00000000-0000-0000-0000-000000000001", "exp": 9e9})
    unknown = await client.call("GET", "/auth/v1/user", token=ghost)
    assert (unknown.status, unknown.json["error_code"]) == (403, "user_not_found")


async def test_a_user_who_was_deleted(client: Any, shared: Database) -> None:
    """The token of a user who is gone names nobody, and his refresh token brings nothing."""
    session = (await client.call("POST", "/auth/v1/signup", {})).json
    async with shared.connection() as connection:
        await connection.execute("delete from auth.users")
    for method, body in (("GET", None), ("PUT", {"data": {"x": 1}})):
        answer = await client.call(method, "/auth/v1/user", body, token=session["access_token"])
        assert (answer.status, answer.json["error_code"]) == (403, "user_not_found")
    again = await refresh(client, session["refresh_token"])
    assert (again.status, again.json["error_code"]) == (400, "refresh_token_not_found")


@pytest.mark.parametrize(("scope", "own", "other"), [("global", 403, 403), ("local", 403, 200), ("others", 200, 403)])
async def test_log_out(client: Any, scope: str, own: int, other: int) -> None:
    """Log-out ends the sessions of its scope: their access tokens no longer fetch the user."""
    await client.call("POST", "/auth/v1/signup", PERSON)
    sessions = [(await client.call("POST", "/auth/v1/token?grant_type=password", PERSON)).json for _ in range(2)]
    tokens = [session["access_token"] for session in sessions]
    answer = await client.call("POST", f"/auth/v1/logout?scope={scope}", token=tokens[0])
    assert (answer.status, answer.body) == (204, b"")
    found = [(await client.call("GET", "/auth/v1/user", token=token)).status for token in tokens]
    assert found == [own, other]


async def test_gateway_wants_the_key(client: Any) -> None:
    """Without the project's key, or with a wrong one, nothing behind the gateway is reached."""
    missing = await client.call("POST", "/auth/v1/signup", {}, headers={"apikey": ""})
    assert (missing.status, missing.json["message"]) == (401, "No API key found in request")
    wrong = await client.call("POST", "/auth/v1/signup", {}, headers={"apikey": "x.y.z"})
    assert (wrong.status, wrong.json["message"]) == (401, "Invalid API key")
    in_query = await client.call(
        "POST", f"/auth/v1/signup?apikey={client.headers['apikey']}", {}, headers={"apikey": ""}
    )
    assert in_query.status == 200


async def test_keys_are_public_ones_only(client: Any) -> None:
    """The key set of a project that signs with a secret is empty."""
    answer = await client.call("GET", "/auth/v1/.well-known/jwks.json")
    assert answer.json == {"keys": []}
    assert answer.headers["cache-control"] == "public, max-age=600"
