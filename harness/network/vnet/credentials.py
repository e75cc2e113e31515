"""Ephemeral TURN credentials: `expiry:user`, and an HMAC of that as the password (draft-uberti-behave-turn-rest-00)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credential:
    """What a TURN client shows."""

    username: str
    password: str


def ephemeral(secret: str, user: str, expires: int) -> Credential:
    """A credential for this user that ends at `expires`, in Unix seconds."""
    username = f"{expires}:{user}"
    return Credential(username, password_of(secret, username))


def password_of(secret: str, username: str) -> str:
    """The password that belongs to a user name, in base64."""
    return base64.b64encode(hmac.digest(secret.encode(), username.encode(), "sha1")).decode()


def expiry_of(username: str) -> int | None:
    """When a credential ends, in Unix seconds; None where the name does not say."""
    digits = username.partition(":")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else None


def long_term_key(username: str, realm: str, password: str) -> bytes:
    """The key of MESSAGE-INTEGRITY (RFC 8489 section 9.2.2)."""
    return hashlib.md5(f"{username}:{realm}:{password}".encode(), usedforsecurity=False).digest()
