"""A search behind the reply: the join is answered when the entry stands, and what befalls the search nobody hears."""

from __future__ import annotations

from uuid import UUID

from conformance.mutants._stepwise import StepwiseEngine
from reference_server.matchmaking.engine import Match


class Unheard(StepwiseEngine):
    """Correct for as long as every search comes to its end."""

    async def join(self, user: UUID, mode: str) -> Match | None:
        await self.enter(user, mode)
        self.behind_the_reply(user)
        return None
