"""For whom a socket or a channel speaks: its token, judged as Realtime judges it (PROTOCOL 1.1, 1.6, 1.7)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from reference_server.auth.claims import Claims
from reference_server.auth.tokens import TokenError, TokenFault

Verify = Callable[[str, float], Claims]
"""Token and leeway in seconds → claims, or TokenError."""
Now = Callable[[], float]
"""Unix seconds."""

_SENTENCES: dict[TokenFault, tuple[str, str]] = {
    "malformed": ("MalformedJWT", "The token provided is not a valid JWT"),
    "signature": ("JwtSignatureError", "Failed to validate JWT signature"),
    "claims": ("InvalidJWTToken", "Fields `role` and `exp` are required in JWT"),
}


class Denied(Exception):
    """A token that is not taken. `code` and `sentence` are the wire's; at the upgrade `short` stands instead."""

    def __init__(self, code: str, sentence: str, short: str = "") -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.short = short or sentence


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """A verified token. `claims_json` is what `request.jwt.claims` is set to when a row's visibility is asked."""

    token: str
    claims: Claims
    claims_json: str = field(repr=False)

    @property
    def user(self) -> UUID | None:
        return self.claims.sub


def identify(token: str, verify: Verify, now: Now) -> Identity:
    """Judges a token.

    Raises:
        Denied: with the sentence that the wire has for it.
    """
    try:
        claims = verify(token, math.inf)
    except TokenError as error:
        raise Denied(*_SENTENCES.get(error.code, ("InvalidJWTToken", error.message))) from error
    if claims.expires_at <= now():
        raise expired(claims, now)
    return Identity(token, claims, orjson.dumps(claims.raw).decode())


def expired(claims: Claims, now: Now) -> Denied:
    """The refusal of a token that has run out."""
    ago = max(0, int(now() - claims.expires_at))
    return Denied("InvalidJWTToken", f"Token has expired {ago} seconds ago", "Token has expired")
