"""When the sessions of a target were made, as its database has it (evidence level E2)."""

from __future__ import annotations

import time
from typing import NamedTuple

from harness.lab.database import connected
from harness.target import Target

_ASKED = 5
_NOW = "select extract(epoch from clock_timestamp())::float8"
_MADE = """
select id::text, user1_id::text, user2_id::text, status, extract(epoch from started_at)::float8 as made
from public.chat_sessions order by started_at
"""


class Made(NamedTuple):
    """One session and its members, and when its row was made: seconds of this machine's monotonic clock."""

    id: str
    user1: str
    user2: str
    status: str
    at: float

    def value(self) -> dict[str, str]:
        """As it stands in a history; who makes the offer is no column of every target."""
        return {"id": self.id, "user1": self.user1, "user2": self.user2, "status": self.status, "offerer": ""}


async def sessions_made(target: Target) -> list[Made]:
    """All sessions in the target's database, in the order of their making.

    A row carries the time at which its transaction began, by PostgreSQL's clock. What that clock shows is asked five
    times; of the quickest answer the middle counts, so that the error is at most half of that answer's time.

    Raises:
        Trouble: the database cannot be reached.
    """
    async with connected(target.capabilities.database_url) as database:
        asked = []
        for _ in range(_ASKED):
            before = time.monotonic()
            theirs = await database.fetchval(_NOW)
            after = time.monotonic()
            asked.append((after - before, (before + after) / 2 - theirs))
        offset = min(asked)[1]
        rows = await database.fetch(_MADE)
    return [Made(row["id"], row["user1_id"], row["user2_id"], row["status"], row["made"] + offset) for row in rows]
