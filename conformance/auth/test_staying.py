"""AUTH-12 to AUTH-18: refresh tokens are used once, and who signs out is out."""

from __future__ import annotations

import asyncio

from conformance.auth.accounts import come_anonymously, refresh, register, sign_in, who_am_i
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.http import Reply
from harness.protocol.token import claims_of

REUSE_INTERVAL = 10.0
"""Seconds for which GoTrue lets a used token come again, for the sake of two tabs (its default)."""
MARGIN = 1.0
USED = ("refresh_token_already_used", "refresh_token_not_found", "session_not_found")
GONE = ("session_not_found", "user_not_found", "bad_jwt")


async def _long_enough(trial: Trial) -> None:
    """Waits until a used token is certainly no longer excused as that of a second tab."""
    async with trial.waiting():
        await asyncio.sleep(REUSE_INTERVAL + trial.budgets.tolerance + MARGIN)


async def _chain(trial: Trial, length: int) -> list[Reply]:
    """A sign-up, and so many refreshes, each with the token of the one before."""
    replies = [(await come_anonymously(trial)).expect(200)]
    for _ in range(length):
        replies.append((await refresh(trial, replies[-1].fields["refresh_token"])).expect(200))
    return replies


@requires("AUTH-12")
async def test_auth_12_refresh(trial: Trial) -> None:
    """A refresh token brings a new pair of tokens for the same user and session."""
    first, second = await _chain(trial, 1)
    second.must(first.fields["refresh_token"] != second.fields["refresh_token"], "the refresh token that was used")
    old, new = (claims_of(str(reply.fields["access_token"])) for reply in (first, second))
    for name in ("sub", "session_id"):
        second.must(old.get(name) == new.get(name), f"another {name}")
    (await who_am_i(trial, second.fields["access_token"])).expect(200)


@requires("AUTH-13")
async def test_auth_13_reuse_is_refused(trial: Trial) -> None:
    """A refresh token whose successor was used already is refused: a thief, or the one he stole it from."""
    first, _, _ = await _chain(trial, 2)
    await _long_enough(trial)
    (await refresh(trial, first.fields["refresh_token"])).expect(400, code=USED)


@requires("AUTH-14")
async def test_auth_14_reuse_ends_the_session(trial: Trial) -> None:
    """After such a reuse the whole session is over: the newest refresh token is refused too."""
    first, _, third = await _chain(trial, 2)
    await _long_enough(trial)
    (await refresh(trial, first.fields["refresh_token"])).expect(400, code=USED)
    (await refresh(trial, third.fields["refresh_token"])).expect(400, code=USED)


@requires("AUTH-15")
async def test_auth_15_an_unknown_refresh_token(trial: Trial) -> None:
    """400 with refresh_token_not_found; an access token is none."""
    reply = await come_anonymously(trial)
    for token in ("abcdefghijkl", reply.fields["access_token"], "' or 1=1"):
        (await refresh(trial, token)).expect(400, code=("refresh_token_not_found", "validation_failed"))


@requires("AUTH-16")
async def test_auth_16_no_refresh_token(trial: Trial) -> None:
    """A refresh without a token is 400, and opens nothing."""
    for body in ({}, {"refresh_token": ""}, {"refresh_token": None}, {"refresh_token": 12}):
        reply = await trial.http.auth("POST", "token?grant_type=refresh_token", body=body)
        reply.must("access_token" not in reply.expect(400).fields, "a session")


@requires("AUTH-17")
async def test_auth_17_signing_out(trial: Trial) -> None:
    """After 204 the session's refresh token opens nothing, and Auth no longer knows its access token."""
    session = (await come_anonymously(trial)).expect(200).fields
    out = (await trial.http.auth("POST", "logout?scope=global", session["access_token"])).expect(204)
    out.must(not out.raw, f"a body came with it: {out.described}")
    (await refresh(trial, session["refresh_token"])).expect(400, code=USED)
    (await who_am_i(trial, session["access_token"])).expect(401, 403, code=GONE)


@requires("AUTH-18")
async def test_auth_18_scopes_of_signing_out(trial: Trial) -> None:
    """local ends this session, others all but this one, global all."""
    known = await register(trial)
    opened = [known.session] + [(await sign_in(trial, known.email)).expect(200).fields for _ in range(3)]
    tokens = [str(session["access_token"]) for session in opened]
    for scope, by, alive in (("local", 0, [1, 2, 3]), ("others", 1, [1])):
        (await trial.http.auth("POST", f"logout?scope={scope}", tokens[by])).expect(204)
        for place, token in enumerate(tokens):
            reply = await who_am_i(trial, token)
            reply.must(
                (reply.status == 200) == (place in alive), f"after scope={scope} by session {by}, {reply.described}"
            )
    again = (await sign_in(trial, known.email)).expect(200).fields
    (await trial.http.auth("POST", "logout?scope=global", again["access_token"])).expect(204)
    (await who_am_i(trial, tokens[1])).expect(401, 403, code=GONE)
