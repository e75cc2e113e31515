"""JSON Web Tokens (RFC 7519): signing them, and telling a good one from a bad one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import jwt
import orjson

from reference_server.auth.claims import Claims

TokenFault = Literal["malformed", "signature", "expired", "claims"]
ROLES = frozenset({"anon", "authenticated"})
SKEW = 30.0
"""Seconds for which PostgREST still takes an expired token (PROTOCOL 2.4); Auth and Realtime allow none."""
_REMEMBERED = 50_000
_JWS = jwt.PyJWS()


class TokenError(Exception):
    """A token that is not to be trusted.

    `code` says why: `malformed` (not a token), `signature` (not ours), `expired`, or `claims` (a claim is missing or
    says what it must not). `message` is PostgREST's sentence for it (PROTOCOL 2.3).
    """

    def __init__(self, code: TokenFault, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One key that signatures may be checked with; `kid` is its name in a token's header (None: unnamed)."""

    algorithm: Literal["HS256", "ES256", "RS256", "EdDSA"]
    key: Any
    kid: str | None = None


class TokenSigner:
    """Signs claim sets with the project's key."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def sign(self, claims: dict[str, Any]) -> str:
        """The compact form (RFC 7515 section 3.1) of these claims, signed with HS256."""
        return jwt.encode(claims, self._secret, algorithm="HS256", sort_headers=True)

    def verification_key(self) -> VerificationKey:
        """The key that checks what this signer signed."""
        return VerificationKey("HS256", self._secret)


class TokenVerifier:
    """Checks tokens against the project's keys. Verified claims are remembered; the expiry is checked every time."""

    def __init__(self, *keys: VerificationKey, now: Callable[[], float] = time.time) -> None:
        self._keys = {(key.kid, key.algorithm): key for key in keys}
        self._now = now
        self._remembered: dict[str, Claims] = {}

    def verify(self, token: str, leeway: float = 0.0) -> Claims:
        """The claims of a token that is ours and has not expired (`leeway` seconds ago).

        Raises:
            TokenError: why the token is not taken.
        """
        claims = self._remembered.get(token)
        if claims is None:
            claims = _read_claims(self._decode(token))
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[token] = claims
        if claims.expires_at + leeway <= self._now():
            raise TokenError("expired", "JWT expired")
        return claims

    def _decode(self, token: str) -> dict[str, Any]:
        if (parts := token.count(".") + 1) != 3:
            raise TokenError("malformed", f"Expected 3 parts in JWT; got {parts}")
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get((header.get("kid"), header["alg"])) or self._keys.get((None, header["alg"]))
            if key is None:
                raise TokenError("signature", "No suitable key or wrong key type")
            # Only the signature: what the claims say is judged by _read_claims and verify.
            payload = orjson.loads(_JWS.decode(token, key.key, algorithms=[key.algorithm]))
        except jwt.InvalidSignatureError:
            raise TokenError("signature", "No suitable key or wrong key type") from None
        except (jwt.PyJWTError, ValueError, KeyError):
            raise TokenError("malformed", "JWT cryptographic operation failed") from None
        if not isinstance(payload, dict):
            raise TokenError("malformed", "JWT cryptographic operation failed")
        return payload


def _read_claims(raw: dict[str, Any]) -> Claims:
    role, expires_at, sub = raw.get("role"), raw.get("exp"), raw.get("sub")
    if not isinstance(expires_at, (int, float)) or isinstance(expires_at, bool) or not isinstance(role, str):
        raise TokenError("claims", "Fields `role` and `exp` are required in JWT")
    if role not in ROLES:
        raise TokenError("claims", f'role "{role}" does not exist')
    if sub is None and role == "anon":
        return Claims(role, None, float(expires_at), raw)
    try:
        return Claims(role, UUID(str(sub)), float(expires_at), raw)
    except ValueError:
        raise TokenError("claims", "the sub claim of the JWT is not a user") from None


def anon_key(signer: TokenSigner) -> str:
    """The public key of the project: with the local default secret, the one that every local Supabase has."""
    return signer.sign({"iss": "supabase-demo", "role": "anon", "exp": 1983812996})
