"""SEC-JWT-26 to SEC-JWT-31: what is no access token, where tokens may stand, and what a refusal says."""

from __future__ import annotations

from contextlib import suppress

from conformance.outcome import NotVerified
from conformance.rest.cast import the_cast
from conformance.scenario import requires
from conformance.tokens.doors import the_victim, turned_away
from conformance.tokens.forging import encoded
from conformance.trial import Trial
from conformance.wire.http import NoAnswer


@requires("SEC-JWT-26")
async def test_sec_jwt_26_a_refresh_token(trial: Trial) -> None:
    """A refresh token opens nothing but the exchange for new tokens."""
    victim = await the_victim(trial)
    if not victim.account.refresh_token:
        raise NotVerified("it takes users who signed in: minted tokens come without a refresh token")
    await turned_away(trial, [("the refresh token", victim.account.refresh_token)])


@requires("SEC-JWT-27")
async def test_sec_jwt_27_the_anon_key(trial: Trial) -> None:
    """The project's key, which everybody has, is no user."""
    await the_victim(trial)
    await turned_away(trial, [("the anon key", trial.target.anon_key)], doors=["user", "matching"])


@requires("SEC-JWT-28")
async def test_sec_jwt_28_a_huge_token(trial: Trial) -> None:
    """Tokens of 10 and of 100 KB are refused without harm; afterwards the target still answers."""
    victim = await the_victim(trial)
    header, claims, signature = victim.account.access_token.split(".")
    tokens = [
        (f"{size} bytes", f"{header}.{encoded({**victim.fresh(), 'x': 'y' * size})}.{signature}")
        for size in (10_000, 100_000)
    ]
    for name, token in [*tokens, ("a long signature", f"{header}.{claims}.{signature * 200}")]:
        with suppress(NoAnswer):  # a connection that is closed on so large a head is a refusal too
            await turned_away(trial, [(name, token)])
    await the_victim(trial)


@requires("SEC-JWT-29")
async def test_sec_jwt_29_no_token_at_all(trial: Trial) -> None:
    """What has not the form of a token is refused, and breaks nothing."""
    victim = await the_victim(trial)
    header, claims, signature = victim.account.access_token.split(".")
    deep = b"[" * 2_000 + b"]" * 2_000
    await turned_away(trial, [
        ("one part", "nonsense"), ("dots", ".."), ("four parts", f"{victim.account.access_token}.x"),
        ("five parts", f"{header}..{claims}.{signature}.x"), ("no base64", f"{header}.!!!.{signature}"),
        ("no JSON", f"{encoded(b'{')}.{claims}.{signature}"), ("no object", f"{encoded(b'[]')}.{claims}.{signature}"),
        ("no UTF-8", f"{encoded(bytes([255, 254]))}.{claims}.{signature}"),
        ("deep JSON", f"{encoded(deep)}.{claims}.{signature}"), ("two tokens", f"{victim.account.access_token} x"),
    ])  # fmt: skip


@requires("SEC-JWT-30")
async def test_sec_jwt_30_what_a_refusal_says(trial: Trial) -> None:
    """401 from REST comes with WWW-Authenticate: Bearer error="invalid_token" and with a code of its own."""
    victim = await the_victim(trial)
    token = victim.account.access_token.rpartition(".")[0] + ".AAAA"
    reply = await trial.http.rest("GET", "chat_sessions?select=id", token)
    reply.expect(401, code=("PGRST301", "PGRST303"))
    asked = reply.headers.get("www-authenticate", "")
    reply.must(asked.startswith("Bearer") and "invalid_token" in asked, f"WWW-Authenticate {asked or 'missing'}")


@requires("SEC-JWT-31")
async def test_sec_jwt_31_a_token_in_an_address(trial: Trial) -> None:
    """A user's token in the query is nobody's: addresses stand in logs and histories."""
    cast = await the_cast(trial)
    token = cast.member.access_token
    for name in ("access_token", "jwt", "token", "authorization"):
        path = f"chat_sessions?select=id&id=eq.{cast.session}&{name}={token}"
        reply = await trial.http.rest("GET", path)
        reply.must(reply.status >= 400 or reply.json == [], f"{reply.described}: the token in {name} was believed")
        base, headers = trial.target.supabase_url, {"apikey": trial.target.anon_key}
        user = await trial.http.send("GET", f"{base}/auth/v1/user?{name}={token}", headers=headers)
        user.must(user.status in {400, 401, 403}, f"{user.described}: the token in {name} was believed")
