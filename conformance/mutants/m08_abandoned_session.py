"""M08: who joins again is given the session that he has just abandoned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from reference_server.matchmaking.engine import Match
from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M08",
    "title": "an abandoned session is returned as a match",
    "why": "A poll that takes any session of the user for his match.",
    "names": ["MM-S8"],
}


REVIVE = """
update public.chat_sessions set status = 'active', ended_at = null, ended_by = null
where id = (select id from public.chat_sessions
            where $1 in (user1_id, user2_id) and status = 'ended' order by ended_at desc limit 1)
returning id, user1_id, case when user1_id = $1 then user2_id else user1_id end as partner
"""


def mutate(server: Mutation) -> None:
    """The last session of the caller is made active again."""

    def reviving(original: Callable[..., Any]) -> Callable[..., Any]:
        async def join(engine: Any, user: UUID, mode: str) -> Match | None:
            async with engine._database.connection() as connection:
                row = await connection.fetchrow(REVIVE, user)
            return Match(row["id"], row["partner"], row["user1_id"]) if row else await original(engine, user, mode)

        return join

    server.sql("raise exception 'an ended session stays ended' using errcode = 'check_violation';", "return new;")
    server.wrap(HardenedEngine, "join", reviving)
