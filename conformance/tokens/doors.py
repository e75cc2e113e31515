"""The doors that a token opens: REST, Auth's own /user and the matching API; and what it means to be turned away."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from conformance.outcome import Inconclusive, NotVerified
from conformance.tokens.forging import decoded, with_secret
from conformance.trial import Trial
from conformance.wire.http import Reply
from conformance.wire.tokens import secret_of
from harness.client.dialect import Account
from harness.protocol.token import claims_of

Door = Literal["rest", "user", "matching", "join"]
"""`matching` is to leave and, where that is refused, to join; `join` is to join at once."""
EVERY: tuple[Door, ...] = ("rest", "user", "matching")
TURNED_AWAY = frozenset({400, 401, 403, 413, 414, 422, 431})
"""A refusal. Too large a head may be refused before anybody reads it."""
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Victim:
    """The user whose token an attacker has seen: `header` and `claims` of it."""

    account: Account
    header: dict[str, Any]
    claims: dict[str, Any]

    def fresh(self, **claims: Any) -> dict[str, Any]:
        """His claims with some changed; None leaves one out."""
        now = int(time.time())
        changed = {**self.claims, "iat": now - 60, "exp": now + HOUR, **claims}
        return {name: value for name, value in changed.items() if value is not None}


async def the_victim(trial: Trial) -> Victim:
    """The victim, whose own token is good.

    Raises:
        Inconclusive: it is not, so that no refusal would mean anything.
    """
    account = await trial.shared("victim")
    victim = Victim(account, orjson.loads(decoded(account.access_token.split(".")[0])), claims_of(account.access_token))
    good = await knock(trial, "rest", account.access_token)
    if good.status != 200:
        raise Inconclusive(f"{good.sent}: {good.described} to a good token, so that refusals say nothing")
    return victim


async def minting(trial: Trial) -> tuple[Victim, bytes]:
    """The victim, and the secret with which his tokens can be made.

    Raises:
        NotVerified: it is not known, or the target does not take what it signs.
    """
    secret = secret_of(trial).encode()
    victim = await the_victim(trial)
    reply = await knock(trial, "rest", with_secret({}, victim.fresh(), secret))
    if reply.status != 200:
        raise NotVerified("it takes the secret of the project: what the given jwt_secret signs is not accepted")
    return victim, secret


async def knock(trial: Trial, door: Door, token: str) -> Reply:
    """Shows a token at a door."""
    key = {"apikey": trial.target.anon_key, "authorization": f"Bearer {token}"}
    base = trial.target.supabase_url
    match door:
        case "rest":
            return await trial.http.send(
                "GET", f"{base}/rest/v1/chat_sessions?select=id", token, headers=key, pages=True
            )
        case "user":
            return await trial.http.send("GET", f"{base}/auth/v1/user", token, headers=key, pages=True)
        case "matching":
            return await _matching(trial, token, "leave", "join")
        case "join":
            return await _matching(trial, token, "join")


async def _matching(trial: Trial, token: str, *verbs: str) -> Reply:
    """Leaves, and only where that is refused joins: who is let in here must not stand in another test's way."""
    headers = {"authorization": f"Bearer {token}"}
    for verb in verbs:
        url = f"{trial.target.api_url}/matching/{verb}"
        reply = await trial.http.send("POST", url, token, headers=headers, body={}, pages=True)
        if reply.status not in TURNED_AWAY:
            break
    return reply


async def turned_away(trial: Trial, tokens: Iterable[tuple[str, str]], doors: Iterable[Door] = EVERY) -> None:
    """Every token, named by what is wrong with it, is refused at every door.

    Raises:
        Breach: naming the token that was let in, or that broke something.
    """
    for name, token in tokens:
        for door in doors:
            reply = await knock(trial, door, token)
            reply.must(reply.status in TURNED_AWAY, f"[{name}] {reply.described} instead of a refusal")
