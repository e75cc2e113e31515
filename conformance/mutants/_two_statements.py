"""A search that fetches a partner with one statement and assigns him with the next: what M16 and M17 have in common."""

from __future__ import annotations

import asyncio
from uuid import UUID

from conformance.mutants._stepwise import StepwiseEngine
from reference_server.matchmaking.engine import Match

BETWEEN = 0.005
"""Seconds from the first statement to the second, as over a network."""
_FETCH = """
select q.user_id from public.waiting_queue q where q.user_id <> $1
   and exists (select 1 from public.waiting_queue mine where mine.user_id = $1)
 order by q.joined_at limit 1
"""
_ASSIGN = """
insert into public.chat_sessions (user1_id, user2_id, offerer_id, status, started_at)
values ($1, $2, $1, 'active', clock_timestamp()) returning id
"""


class TwoStatements(StepwiseEngine):
    """Correct only behind a lock that holds for both statements; here is none."""

    async def pick(self, user: UUID) -> Match | None:
        async with self._database.connection() as connection:
            partner = await connection.fetchval(_FETCH, user)
            if partner is None:
                return None
            await asyncio.sleep(BETWEEN)
            session = await connection.fetchval(_ASSIGN, user, partner)
        self.announce(session, user, partner)
        return Match(session, partner, user)
