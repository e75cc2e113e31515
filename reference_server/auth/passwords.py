"""Passwords: bcrypt, off the event loop."""

from __future__ import annotations

import asyncio

import bcrypt

from reference_server.auth.errors import AuthError

COST = 10
"""GoTrue's: about 50 ms of one core for a hash."""
SHORTEST, LONGEST = 6, 72


async def hash_password(password: str) -> str:
    """The bcrypt hash. Raises AuthError where the password is too short, or longer than bcrypt reads."""
    if len(password) < SHORTEST:
        message = f"Password should be at least {SHORTEST} characters."
        raise AuthError(422, "weak_password", message, weak_password={"reasons": ["length"]})
    if len(password.encode()) > LONGEST:
        raise AuthError(422, "validation_failed", f"Password cannot be longer than {LONGEST} characters")
    return (await asyncio.to_thread(bcrypt.hashpw, password.encode(), bcrypt.gensalt(COST))).decode()


async def password_matches(password: str, hashed: str | None) -> bool:
    """Whether this is the password; False for a user that has none."""
    raw = password.encode()
    if hashed is None or len(raw) > LONGEST:
        return False
    return await asyncio.to_thread(bcrypt.checkpw, raw, hashed.encode())
