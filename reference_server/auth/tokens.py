"""JSON Web Tokens (RFC 7519): signing them, and telling a good one from a bad one."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

import jwt
import orjson
from jwt.algorithms import ECAlgorithm, HMACAlgorithm

from reference_server.auth.claims import Claims
from reference_server.auth.keys import EllipticKey, VerificationKey
from reference_server.remembered import Remembered

TokenFault = Literal["malformed", "signature", "expired", "claims"]
ROLES = frozenset({"anon", "authenticated"})
AUDIENCE = "authenticated"
SKEW = 30.0
"""Seconds by which clocks may differ: for `nbf` and `iat` everywhere, for `exp` in PostgREST alone (PROTOCOL 2.4)."""
LONGEST = 16_384
"""Characters of a token; one of ours has about 1,000."""
_REMEMBERED = 65_536
"""Tokens whose claims are remembered at most, those that were asked about last: 3 KB each, as a rule."""
_SUITES: dict[str, Any] = {"HS256": HMACAlgorithm(HMACAlgorithm.SHA256), "ES256": ECAlgorithm(ECAlgorithm.SHA256)}
_UNREADABLE = "JWT cryptographic operation failed"
_BASE64URL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_NO_KEY = "No suitable key or wrong key type"


class TokenError(Exception):
    """A token that is not to be trusted.

    `code` says why: `malformed` (not a token), `signature` (not ours), `expired`, or `claims` (a claim is missing or
    says what it must not). `message` is PostgREST's sentence for it (PROTOCOL 2.3).
    """

    def __init__(self, code: TokenFault, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TokenSigner:
    """Signs claim sets with the project's key: with `elliptic` where there is one (ES256), else with the secret."""

    def __init__(self, secret: str, elliptic: EllipticKey | None = None) -> None:
        self._secret = secret
        self._elliptic = elliptic

    def sign(self, claims: dict[str, Any]) -> str:
        """The compact form (RFC 7515 section 3.1) of these claims."""
        if self._elliptic is None:
            return self.sign_with_secret(claims)
        return jwt.encode(claims, self._elliptic.private, algorithm="ES256", headers={"kid": self._elliptic.kid})

    def sign_with_secret(self, claims: dict[str, Any]) -> str:
        """The same with HS256, as the project's keys for applications are signed whatever signs the users' tokens."""
        return jwt.encode(claims, self._secret, algorithm="HS256", sort_headers=True)

    def verification_key(self) -> VerificationKey:
        """The key that checks what `sign` signed."""
        return self.verification_keys()[0]

    def verification_keys(self) -> tuple[VerificationKey, ...]:
        """All keys of the project, that of `sign` first."""
        secret = VerificationKey("HS256", self._secret.encode())
        return (secret,) if self._elliptic is None else (self._elliptic.verification(), secret)

    def public_keys(self) -> list[dict[str, Any]]:
        """The key set (RFC 7517 section 5) that everybody may see: never a secret."""
        return [] if self._elliptic is None else [self._elliptic.public_jwk()]


class TokenVerifier:
    """Checks tokens against the project's keys. Verified claims are remembered; the times are checked every time.

    The key is found by the header's `alg` and `kid` among those given here, each of which serves one algorithm: no
    header can bring a key along (`jwk`, `jku`, `x5c`, `x5u`), name a file, or have a public key taken for a secret
    (RFC 8725 sections 3.1, 3.5 and 3.10). `issuer` is the only `iss` that users' tokens may name; None takes any.
    """

    def __init__(self, *keys: VerificationKey, now: Callable[[], float] = time.time, issuer: str | None = None) -> None:
        self._keys: dict[tuple[str, str | None], VerificationKey] = {(key.algorithm, key.kid): key for key in keys}
        # A token without `kid` is checked with the one key of its algorithm.
        self._unnamed: dict[str, VerificationKey] = {key.algorithm: key for key in reversed(keys)}
        self._now = now
        self._issuer = issuer
        self._remembered = Remembered(self._verified, _REMEMBERED)

    def verify(self, token: str, leeway: float = 0.0) -> Claims:
        """The claims of a token that is ours and has not expired (`leeway` seconds ago).

        Raises:
            TokenError: why the token is not taken.
        """
        claims = self._remembered(token)
        now = self._now()
        if claims.expires_at + leeway <= now:
            raise TokenError("expired", "JWT expired")
        _check_begun(claims.raw, now + SKEW)
        return claims

    def _verified(self, token: str) -> Claims:
        return _read_claims(self._decode(token), self._issuer)

    def _decode(self, token: str) -> dict[str, Any]:
        """The payload of a token with a good signature (RFC 7515 section 5.2)."""
        if len(token) > LONGEST:
            raise TokenError("malformed", _UNREADABLE)
        parts = token.split(".")
        if len(parts) != 3:
            raise TokenError("malformed", f"Expected 3 parts in JWT; got {len(parts)}")
        header = _header(parts[0])
        # An extension that must be understood is understood by nobody here (RFC 7515 section 4.1.11).
        if "crit" in header or "b64" in header:
            raise TokenError("malformed", _UNREADABLE)
        key = self._key(header)
        signed = f"{parts[0]}.{parts[1]}".encode()
        if not _SUITES[key.algorithm].verify(signed, key.key, _decoded(parts[2])):
            raise TokenError("signature", _NO_KEY)
        return _object(parts[1])

    def _key(self, header: dict[str, Any]) -> VerificationKey:
        algorithm, kid = header.get("alg"), header.get("kid")
        if isinstance(algorithm, str) and (kid is None or isinstance(kid, str)):
            key = self._unnamed.get(algorithm) if kid is None else self._keys.get((algorithm, kid))
            if key is not None:
                return key
        raise TokenError("signature", _NO_KEY)


def _decoded(part: str) -> bytes:
    """base64url without padding, and nothing else (RFC 7515 section 2)."""
    if not _BASE64URL.issuperset(part):
        raise TokenError("malformed", _UNREADABLE)
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise TokenError("malformed", _UNREADABLE) from None


def _object(part: str) -> dict[str, Any]:
    """A JSON object in which no name comes twice (RFC 8725 section 3.10 by way of RFC 7519 section 4)."""
    raw = _decoded(part)
    try:
        value = orjson.loads(raw)
        _STRICT.decode(raw.decode())
        orjson.dumps(value)  # what PostgreSQL is told must be writable
    except (ValueError, TypeError, RecursionError):
        raise TokenError("malformed", _UNREADABLE) from None
    if not isinstance(value, dict):
        raise TokenError("malformed", _UNREADABLE)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


_STRICT = json.JSONDecoder(object_pairs_hook=_unique)
_header = lru_cache(64)(_object)
"""The tokens of one project have a handful of headers. None of them is changed."""


def _read_claims(raw: dict[str, Any], issuer: str | None) -> Claims:
    role, expires_at, sub = raw.get("role"), raw.get("exp"), raw.get("sub")
    if not isinstance(expires_at, (int, float)) or isinstance(expires_at, bool) or not isinstance(role, str):
        raise TokenError("claims", "Fields `role` and `exp` are required in JWT")
    if role not in ROLES:
        raise TokenError("claims", f'role "{role}" does not exist')
    for name in ("nbf", "iat"):
        if not isinstance(raw.get(name, 0), (int, float)):
            raise TokenError("claims", f"The JWT '{name}' claim must be a number")
    _check_audience(raw.get("aud", AUDIENCE))
    if sub is None and role == "anon":
        return Claims(role, None, float(expires_at), raw)
    if issuer is not None and raw.get("iss") != issuer:
        raise TokenError("claims", "JWT not from the issuer of this project")
    try:
        return Claims(role, UUID(str(sub)), float(expires_at), raw)
    except ValueError:
        raise TokenError("claims", "the sub claim of the JWT is not a user") from None


def _check_audience(audience: Any) -> None:
    """A token for somebody else is not for us (RFC 7519 section 4.1.3); one that does not say is."""
    named = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(name, str) for name in named):
        raise TokenError("claims", "The JWT 'aud' claim must be a string or an array of strings")
    if AUDIENCE not in named:
        raise TokenError("claims", "JWT not in audience")


def _check_begun(raw: dict[str, Any], latest: float) -> None:
    if raw.get("nbf", 0) > latest:
        raise TokenError("claims", "JWT not yet valid")
    if raw.get("iat", 0) > latest:
        raise TokenError("claims", "JWT issued at future")


def anon_key(signer: TokenSigner) -> str:
    """The public key of the project: with the local default secret, the one that every local Supabase has."""
    return signer.sign_with_secret({"iss": "supabase-demo", "role": "anon", "exp": 1983812996})
