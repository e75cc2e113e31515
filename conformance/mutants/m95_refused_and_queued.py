"""M95: a join that is refused takes effect all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from reference_server.limits.join_limit import TooManyJoins
from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M95",
    "title": "a refused join stands in the queue",
    "why": "The count comes after the deed.",
    "names": ["LIM-6"],
}


ENTER = """
insert into public.waiting_queue (user_id, match_mode) values ($1, $2)
on conflict (user_id) do update set seen_at = clock_timestamp()
"""


def mutate(server: Mutation) -> None:
    """Whoever is told to wait waits in the queue."""

    def careless(original: Callable[..., Any]) -> Callable[..., Any]:
        async def join(engine: Any, user: UUID, mode: str) -> Any:
            try:
                return await original(engine, user, mode)
            except TooManyJoins:
                await engine._execute(ENTER, user, mode)
                raise

        return join

    server.wrap(HardenedEngine, "join", careless)
