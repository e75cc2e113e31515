"""JSON Web Tokens as far as a client needs them: reading claims, and signing with a secret that the owner gave."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any

import orjson

from harness.protocol.malformed import Malformed

LOCAL_JWT_SECRET = "super-secret-jwt-token-with-at-least-32-characters-long"  # noqa: S105 — Supabase's public default
_LOCAL_ANON_CLAIMS = {"iss": "supabase-demo", "role": "anon", "exp": 1983812996}


def sign_hs256(claims: dict[str, Any], secret: str) -> str:
    """A compact JWS over the claims (RFC 7515 section 3.1, RFC 7518 section 3.2)."""
    signed = f"{_encode(orjson.dumps({'alg': 'HS256', 'typ': 'JWT'}))}.{_encode(orjson.dumps(claims))}"
    mac = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encode(mac)}"


def local_anon_key(secret: str = LOCAL_JWT_SECRET) -> str:
    """The anon key of a local Supabase project; with the default secret it is the one that everybody knows."""
    return sign_hs256(_LOCAL_ANON_CLAIMS, secret)


def user_claims(user: str, issued_at: int, lifetime: int) -> dict[str, Any]:
    """The claims of a signed-in user's token (PROTOCOL 3); times in Unix seconds."""
    return {
        "sub": user, "aud": "authenticated", "role": "authenticated", "aal": "aal1", "is_anonymous": False,
        "iat": issued_at, "exp": issued_at + lifetime,
    }  # fmt: skip


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, not verified: a client only reads its own.

    Raises:
        Malformed: not a token.
    """
    parts = token.split(".")
    if len(parts) != 3:
        raise Malformed(f"a token must have three parts, not {len(parts)}")
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, orjson.JSONDecodeError):
        raise Malformed("the claims of a token must be base64url of JSON") from None
    if not isinstance(claims, dict):
        raise Malformed("the claims of a token must be an object")
    return claims


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
