"""AUTH-19 to AUTH-28: what Auth says of a user, in its tokens, of its keys, and when it refuses."""

from __future__ import annotations

import time
from uuid import UUID

from conformance.auth.accounts import come_anonymously, new_address, sign_in, the_registered, who_am_i
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.http import Reply
from harness.protocol.token import claims_of

SKEW = 30.0
"""Seconds by which our clock and the target's may differ."""
SECRETS = ("password", "encrypted_password", "confirmation_token", "recovery_token", "hash")
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}
"""Members of a JWK that only its owner may know (RFC 7518 section 6)."""
CLAIMS = {"iss", "sub", "aud", "exp", "iat", "role", "aal", "amr", "session_id", "is_anonymous"}


@requires("AUTH-19")
async def test_auth_19_the_user(trial: Trial) -> None:
    """GET /user brings the user whom the token names, with what official clients insist on, and none of his secrets."""
    known = await the_registered(trial)
    reply = (await who_am_i(trial, known.session["access_token"])).expect(200)
    user = reply.fields
    missing = {"id", "aud", "role", "email", "app_metadata", "user_metadata", "created_at", "identities"} - user.keys()
    reply.must(not missing, f"a user without {', '.join(sorted(missing))}")
    reply.must(user["id"] == known.user and user["email"] == known.email, "another user")
    shown = [name for name in user if any(secret in name for secret in SECRETS)]
    reply.must(not shown, f"a user with {', '.join(shown)}")
    providers = user["app_metadata"].get("providers")
    reply.must(providers == ["email"], f"the providers {providers}")


@requires("AUTH-20")
async def test_auth_20_nobody(trial: Trial) -> None:
    """Without a bearer token, /user is 401 with no_authorization."""
    reply = await trial.http.auth("GET", "user", authorization=None)
    reply.expect(401, code="no_authorization")


@requires("AUTH-21")
async def test_auth_21_claims(trial: Trial) -> None:
    """An access token names issuer, user, audience, role, session and how the user came in."""
    reply = (await come_anonymously(trial)).expect(200)
    claims = claims_of(str(reply.fields["access_token"]))
    missing = CLAIMS - claims.keys()
    reply.must(not missing, f"a token without {', '.join(sorted(missing))}")
    wanted = {"aud": "authenticated", "role": "authenticated", "aal": "aal1", "is_anonymous": True}
    reply.must(wanted.items() <= claims.items(), f"the claims { {name: claims[name] for name in wanted} }")
    reply.must(str(claims["iss"]).endswith("/auth/v1"), f"the issuer {claims['iss']!r}")
    for name in ("sub", "session_id"):
        reply.must(_is_uuid(claims[name]), f"the {name} {claims[name]!r}")
    ways = [way.get("method") for way in claims["amr"] if isinstance(way, dict)]
    reply.must(ways == ["anonymous"], f"the amr {claims['amr']}")


@requires("AUTH-22")
async def test_auth_22_lifetimes(trial: Trial) -> None:
    """exp, iat, expires_in and expires_at agree with each other and with the clock."""
    reply = (await come_anonymously(trial)).expect(200)
    body, now = reply.fields, time.time()
    claims = claims_of(str(body["access_token"]))
    reply.must(body["expires_at"] == claims["exp"], f"expires_at {body['expires_at']}, exp {claims['exp']}")
    reply.must(claims["exp"] - claims["iat"] == body["expires_in"], f"expires_in {body['expires_in']}")
    reply.must(0 < body["expires_in"] <= 86_400, f"tokens that live for {body['expires_in']} s")
    reply.must(abs(claims["iat"] - now) <= SKEW, f"iat {claims['iat'] - now:+.0f} s from our clock")


@requires("AUTH-23")
async def test_auth_23_keys(trial: Trial) -> None:
    """The key set is public, may be kept for minutes, and holds public keys alone."""
    url = f"{trial.target.supabase_url}/auth/v1/.well-known/jwks.json"
    reply = (await trial.http.send("GET", url, headers={})).expect(200)
    keys = reply.fields.get("keys")
    reply.must(isinstance(keys, list) and all(isinstance(key, dict) for key in keys), f"no key set: {reply.described}")
    for key in keys if isinstance(keys, list) else []:
        secret = sorted(PRIVATE & key.keys())
        reply.must(not secret, f"a key with its private members {', '.join(secret)}")
        reply.must(key.get("kty") in {"RSA", "EC", "OKP"}, f"a key of the type {key.get('kty')!r}")
    kept = reply.headers.get("cache-control", "")
    reply.must("max-age" in kept, f"Cache-Control {kept or 'missing'}")


@requires("AUTH-24")
async def test_auth_24_errors_of_today(trial: Trial) -> None:
    """With the API version of 2024-01-01: {code, message} and the code in a header."""
    reply = (await sign_in(trial, new_address())).expect(400)
    body = reply.fields
    reply.must(body.get("code") == "invalid_credentials", f"{reply.described} without the code in `code`")
    reply.must(body.get("message") == "Invalid login credentials", f"the message {body.get('message')!r}")
    said = reply.headers.get("x-sb-error-code")
    reply.must(said == "invalid_credentials", f"x-sb-error-code {said or 'missing'}")
    version = reply.headers.get("x-supabase-api-version")
    reply.must(version == "2024-01-01", f"x-supabase-api-version {version or 'missing'}")


@requires("AUTH-25")
async def test_auth_25_errors_of_old(trial: Trial) -> None:
    """Without it: {code: status, error_code, msg}, as older clients read it."""
    reply = (await sign_in(trial, new_address(), x_supabase_api_version=None)).expect(400)
    wanted = {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"}
    reply.must(wanted.items() <= reply.fields.items(), f"{reply.described} instead of {wanted}")


@requires("AUTH-26")
async def test_auth_26_no_json(trial: Trial) -> None:
    """A body that is no JSON object is 400, and opens no session."""
    for path in ("signup", "token?grant_type=password"):
        for body in (b"{", b"email=a&password=b", b"[]"):
            reply: Reply = await trial.http.auth("POST", path, body=body)
            reply.must("access_token" not in reply.expect(400).fields, "a session")


@requires("AUTH-27")
async def test_auth_27_an_unknown_grant(trial: Trial) -> None:
    """A grant that is not offered is 400, and opens no session."""
    for grant in ("client_credentials", "magic", ""):
        reply = await trial.http.auth("POST", f"token?grant_type={grant}", body={"email": "a", "password": "b"})
        reply.must("access_token" not in reply.expect(400).fields, "a session")


@requires("AUTH-28")
async def test_auth_28_no_key(trial: Trial) -> None:
    """Without the project's key nobody signs up, signs in or is told of."""
    for method, path in (("POST", "signup"), ("POST", "token?grant_type=password"), ("GET", "user")):
        body: dict[str, object] = {"data": {}}
        reply = await trial.http.auth(method, path, body=body, apikey=None, authorization=None)
        reply.must("access_token" not in reply.expect(401).fields, "a session")


def _is_uuid(text: object) -> bool:
    try:
        return str(UUID(str(text))) == text
    except ValueError:
        return False
