"""SEC-JWT-13 to SEC-JWT-25: a token that is well signed, and says what it must not, or too little."""

from __future__ import annotations

import time
from uuid import uuid4

import orjson

from conformance.rest.cast import the_cast
from conformance.scenario import requires
from conformance.tokens.doors import HOUR, Victim, knock, minting, turned_away
from conformance.tokens.forging import with_secret
from conformance.trial import Trial

BEYOND = 120
"""Seconds that no allowance for skewed clocks covers (PostgREST's is 30: PROTOCOL 2.4)."""
WITHIN = 5
"""Seconds by which two well-kept clocks differ at most."""


@requires("SEC-JWT-13")
async def test_sec_jwt_13_expired(trial: Trial) -> None:
    """A token whose time is over, by minutes and by years."""
    victim, secret = await minting(trial)
    now = int(time.time())
    await turned_away(trial, [
        (f"over since {age} s", with_secret({}, victim.fresh(iat=now - age - HOUR, exp=now - age), secret))
        for age in (BEYOND, 10 * 365 * 86_400)
    ])  # fmt: skip


@requires("SEC-JWT-14")
async def test_sec_jwt_14_not_yet(trial: Trial) -> None:
    """A token that is good from later on (nbf)."""
    victim, secret = await minting(trial)
    token = with_secret({}, victim.fresh(nbf=int(time.time()) + BEYOND), secret)
    await turned_away(trial, [("nbf in two minutes", token)])


@requires("SEC-JWT-15")
async def test_sec_jwt_15_issued_later(trial: Trial) -> None:
    """A token that will have been issued in two minutes (iat)."""
    victim, secret = await minting(trial)
    token = with_secret({}, victim.fresh(iat=int(time.time()) + BEYOND), secret)
    await turned_away(trial, [("iat in two minutes", token)], doors=["rest"])


@requires("SEC-JWT-16")
async def test_sec_jwt_16_skewed_clocks(trial: Trial) -> None:
    """A token of an issuer whose clock is a few seconds ahead is taken, or fresh sign-ins fail at random."""
    victim, secret = await minting(trial)
    soon = int(time.time()) + WITHIN
    for door in ("rest", "matching"):
        token = with_secret({}, victim.fresh(iat=soon, nbf=soon), secret)
        reply = await knock(trial, "rest" if door == "rest" else "matching", token)
        reply.must(reply.status == 200, f"{reply.described} to a token issued {WITHIN} s from now")


@requires("SEC-JWT-17")
async def test_sec_jwt_17_other_audience(trial: Trial) -> None:
    """A token for another service (aud)."""
    victim, secret = await minting(trial)
    audiences = ("another-service", ["another-service"], "")
    await turned_away(trial, [(f"aud {aud!r}", with_secret({}, victim.fresh(aud=aud), secret)) for aud in audiences])


@requires("SEC-JWT-18")
async def test_sec_jwt_18_other_issuer(trial: Trial) -> None:
    """A token of another issuer (iss) that signs with the same secret."""
    victim, secret = await minting(trial)
    token = with_secret({}, victim.fresh(iss="https://another.example/auth/v1"), secret)
    await turned_away(trial, [("another iss", token)])


@requires("SEC-JWT-19")
async def test_sec_jwt_19_the_role_of_the_server(trial: Trial) -> None:
    """The service role is nobody who signs in: it has no user, and cannot look for a partner."""
    victim, secret = await minting(trial)
    token = with_secret({}, victim.fresh(role="service_role", sub=None, aud=None), secret)
    await turned_away(trial, [("service_role", token)], doors=["user", "matching"])


@requires("SEC-JWT-20")
async def test_sec_jwt_20_roles_of_the_database(trial: Trial) -> None:
    """No token makes its holder a superuser of the database, or an administrator of one of its services."""
    victim, secret = await minting(trial)
    roles = ("postgres", "supabase_admin", "supabase_auth_admin", "authenticator; reset role", 'x" or "y')
    await turned_away(
        trial, [(f"role {role!r}", with_secret({}, victim.fresh(role=role), secret)) for role in roles], doors=["rest"]
    )


@requires("SEC-JWT-21")
async def test_sec_jwt_21_no_role(trial: Trial) -> None:
    """A token without a role, or with one that is no text, shows none of its user's rows."""
    cast = await the_cast(trial)
    victim, secret = await minting(trial)
    for role in (None, "", 1, ["authenticated"]):
        token = with_secret({}, victim.fresh(sub=cast.member.user, role=role), secret)
        reply = await trial.http.rest("GET", f"chat_sessions?select=id&id=eq.{cast.session}", token)
        hidden = reply.status in {400, 401, 403} or (reply.status == 200 and reply.json == [])
        reply.must(hidden, f"[role {role!r}] {reply.described} instead of a refusal or no row")


@requires("SEC-JWT-22")
async def test_sec_jwt_22_no_user(trial: Trial) -> None:
    """A token whose sub is no user's id, or missing, is nobody at Auth and at the matching."""
    victim, secret = await minting(trial)
    subs = (None, "", "nobody", "' or 1=1 --", 7, {"id": victim.account.user}, [victim.account.user])
    await turned_away(
        trial, [(f"sub {sub!r}", with_secret({}, victim.fresh(sub=sub), secret)) for sub in subs],
        doors=["user", "matching"],
    )  # fmt: skip


@requires("SEC-JWT-23")
async def test_sec_jwt_23_a_claim_twice(trial: Trial) -> None:
    """A token with two values of one claim is refused, or read by the last of them, at every door alike."""
    victim, secret = await minting(trial)
    cast = await the_cast(trial)
    token = with_secret({}, _twice(victim, cast.member.user), secret)
    rest = await trial.http.rest("GET", f"chat_sessions?select=id&id=eq.{cast.session}", token)
    rest.must(rest.status in {400, 401, 403} or rest.json == [], f"{rest.described}: the first sub was believed")
    user = await knock(trial, "user", token)
    user.must(user.status != 200 or user.fields.get("id") == victim.account.user, f"{user.described}: the first sub")
    user.must((rest.status == 200) == (user.status == 200), f"{user.described}, but REST answered {rest.status}")


def _twice(victim: Victim, first: str) -> bytes:
    """The victim's claims with another sub before his own."""
    claims = victim.fresh()
    claims["sub"] = victim.account.user
    return b'{"sub":' + orjson.dumps(first) + b"," + orjson.dumps(claims)[1:]


@requires("SEC-JWT-24")
async def test_sec_jwt_24_a_user_who_is_gone(trial: Trial) -> None:
    """A token of a user who does not exist any more is nobody at Auth and cannot join, though it has not expired."""
    victim, secret = await minting(trial)
    gone = str(uuid4())
    tokens = [("no such user", with_secret({}, victim.fresh(sub=gone, session_id=None), secret))]
    await turned_away(trial, tokens, doors=["user", "join"])


@requires("SEC-JWT-25")
async def test_sec_jwt_25_extensions(trial: Trial) -> None:
    """A header with a critical extension that nobody knows is not passed over."""
    victim, secret = await minting(trial)
    header = {"crit": ["https://example.com/unknown"], "https://example.com/unknown": True}
    await turned_away(trial, [("crit", with_secret(header, victim.fresh(), secret))])
