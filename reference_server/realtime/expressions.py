"""Asks PostgreSQL which values match which regular expressions, and lets no expression take long."""

from __future__ import annotations

import logging

from reference_server.db import Connection, DatabaseError
from reference_server.realtime.delivery import Expression

log = logging.getLogger(__name__)

PATIENCE_ALL, PATIENCE_ONE = 0.25, 0.05
_MATCHES = "select gurukul.realtime_matches($1, $2, $3)"


async def matching(connection: Connection, expressions: list[Expression]) -> set[Expression]:
    """Those that match. One that PostgreSQL refuses, or ponders for too long, does not."""
    try:
        return await _ask(connection, expressions, PATIENCE_ALL)
    except (DatabaseError, TimeoutError):
        found: set[Expression] = set()
        for one in expressions:
            try:
                found |= await _ask(connection, [one], PATIENCE_ONE)
            except (DatabaseError, TimeoutError) as error:
                log.warning("a regular expression could not be matched: %s", str(error) or "it takes too long")
        return found


async def _ask(connection: Connection, expressions: list[Expression], patience: float) -> set[Expression]:
    columns = [list(column) for column in zip(*expressions, strict=True)]
    answers = await connection.fetchval(_MATCHES, *columns, timeout=patience)
    return {one for one, matches in zip(expressions, answers, strict=True) if matches}
