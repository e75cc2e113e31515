"""Asks PostgreSQL which values match which regular expressions, and lets no expression take long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reference_server.db import Connection, DatabaseError
from reference_server.realtime.delivery import Expression

log = logging.getLogger(__name__)

PATIENCE_ALL, PATIENCE_ONE, PATIENCE_REST = 0.25, 0.05, 0.5
"""Seconds for all that a batch of changes asks; where that is too little for each by itself, and for these together."""
STRIKES = 2
"""An expression that took too long so often is not asked again: everybody's changes wait for the answer."""
REMEMBERED = 10_000
TOO_LONG = "57014"
"""The SQLSTATE of a statement that PostgreSQL has given up for its timeout."""
_MATCHES = "select gurukul.realtime_matches($1, $2, $3)"


class Matcher:
    """Knows which expressions have taken too long."""

    def __init__(self) -> None:
        self._strikes: dict[tuple[str, bool], int] = {}

    async def matching(self, connection: Connection, expressions: list[Expression]) -> set[Expression]:
        """Those that match. One that PostgreSQL refuses, or ponders for too long, does not."""
        asked = [one for one in expressions if self._strikes.get(one[1:], 0) < STRIKES]
        if not asked:
            return set()
        try:
            return await _ask(connection, asked, PATIENCE_ALL)
        except DatabaseError:
            return await self._one_by_one(connection, asked)

    async def _one_by_one(self, connection: Connection, expressions: list[Expression]) -> set[Expression]:
        loop, found = asyncio.get_running_loop(), set[Expression]()
        end = loop.time() + PATIENCE_REST
        for number, one in enumerate(expressions):
            if loop.time() >= end:
                left = len(expressions) - number
                log.warning("%d regular expressions were not asked for a match: others took too long", left)
                break
            try:
                found |= await _ask(connection, [one], PATIENCE_ONE)
            except DatabaseError as error:
                if error.sqlstate == TOO_LONG:
                    self._strike(one)
                else:
                    log.warning("a regular expression could not be matched: %s", error)
        return found

    def _strike(self, one: Expression) -> None:
        pattern = one[1:]
        strikes = self._strikes.pop(pattern, 0) + 1
        self._strikes[pattern] = strikes
        if len(self._strikes) > REMEMBERED:
            del self._strikes[next(iter(self._strikes))]
        never = ", it is not asked again" if strikes >= STRIKES else ""
        log.warning("a regular expression took longer than %.2f s%s: %.80s", PATIENCE_ONE, never, one[1])


@asynccontextmanager
async def limited(connection: Connection, patience: float | None) -> AsyncIterator[None]:
    """Statements within take `patience` seconds at most, or end with `TOO_LONG`.

    PostgreSQL watches the time itself: a driver that does sends a cancellation, and may lose the connection by it.
    """
    if patience is None:
        yield
        return
    async with connection.transaction():
        await connection.execute(f"set local statement_timeout = {round(1000 * patience)}")
        yield


async def _ask(connection: Connection, expressions: list[Expression], patience: float) -> set[Expression]:
    columns = [list(column) for column in zip(*expressions, strict=True)]
    async with limited(connection, patience):
        answers = await connection.fetchval(_MATCHES, *columns)
    return {one for one, matches in zip(expressions, answers, strict=True) if matches}
