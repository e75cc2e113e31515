"""Time-limited TURN credentials, as coturn's `use-auth-secret` checks them ("REST API for access to TURN services").

The TURN server and this one share a secret and nothing else: the user name carries the time until which it is good, and
the password is its HMAC, so that no list of users is needed and nothing has to be revoked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Relay:
    """A TURN server: the secret shared with it, its addresses (RFC 7065), and how long credentials last, in seconds."""

    secret: str = field(repr=False)
    uris: tuple[str, ...]
    lifetime: int

    def credentials(self, user: str, now: float) -> dict[str, Any]:
        """`{username, password, ttl, uris}` for this user, good until `now` (Unix seconds) plus the lifetime."""
        username = f"{int(now) + self.lifetime}:{user}"
        return {
            "username": username,
            "password": password_of(username, self.secret),
            "ttl": self.lifetime,
            "uris": list(self.uris),
        }


def password_of(username: str, secret: str) -> str:
    """base64(HMAC-SHA1(secret, username)): what the TURN server computes too (SHA-1 is what it speaks)."""
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), hashlib.sha1)).decode()


def read_uris(text: str) -> tuple[str, ...]:
    """The addresses of a list separated by commas. Raises ValueError for one that is not of RFC 7065 or RFC 7064."""
    uris = tuple(part.strip() for part in text.split(",") if part.strip())
    for uri in uris:
        scheme, _, rest = uri.partition(":")
        if scheme not in {"turn", "turns", "stun", "stuns"} or not rest or any(c.isspace() for c in uri):
            raise ValueError(f"{uri!r} is no address of a TURN server, like turn:relay.example:3478?transport=udp")
    return uris
