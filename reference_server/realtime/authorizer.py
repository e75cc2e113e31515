"""Asks row-level security what a caller may do in a private channel (PROTOCOL 1.6)."""

from __future__ import annotations

import orjson

from reference_server.auth.claims import Claims
from reference_server.db import Database
from reference_server.realtime.channel import Rights

_NONE = Rights(read_broadcast=False, read_presence=False, write_broadcast=False, write_presence=False)
_AUTHORIZE = "select * from gurukul.realtime_authorize($1, $2, $3)"


async def rights_in(database: Database, claims: Claims, name: str) -> Rights:
    """What the caller may do in the private channel of that name.

    Raises:
        Unavailable, DatabaseError: PostgreSQL could not be asked.
    """
    if "\0" in name:  # no text of PostgreSQL's, so no policy can allow it
        return _NONE
    async with database.connection() as connection:
        row = await connection.fetchrow(_AUTHORIZE, claims.role, orjson.dumps(claims.raw).decode(), name)
    assert row is not None  # noqa: S101 — the function returns one row
    return Rights(*row)
