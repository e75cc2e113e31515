"""Tokens with other times than the target gives: signed with its secret, where that is known."""

from __future__ import annotations

import time

from conformance.outcome import NotVerified
from conformance.trial import Trial
from harness.client.participant import Participant
from harness.protocol.malformed import Malformed
from harness.protocol.token import LOCAL_JWT_SECRET, claims_of, sign_hs256


def secret_of(trial: Trial) -> str:
    """The secret that the target's tokens are signed with: from its file, or Supabase's public one for local projects.

    Raises:
        NotVerified: neither is it.
    """
    identities, key = trial.target.identities, trial.target.anon_key
    if identities.jwt_secret:
        return identities.jwt_secret
    if signed_with(key, LOCAL_JWT_SECRET):
        return LOCAL_JWT_SECRET
    raise NotVerified("it takes tokens with other times than the target gives: name jwt_secret under [identities]")


def signed_with(token: str, secret: str) -> bool:
    """Whether this secret signed the token (HS256)."""
    try:
        return sign_hs256(claims_of(token), secret).rpartition(".")[2] == token.rpartition(".")[2]
    except Malformed:
        return False


def minted(trial: Trial, person: Participant, *, lifetime: float) -> str:
    """The user's own token, but good for so many seconds from now (negative: for so many no more)."""
    secret = secret_of(trial)
    now = int(time.time())
    claims = claims_of(person.account.access_token)
    return sign_hs256({**claims, "iat": now - 3600, "exp": now + int(lifetime)}, secret)
