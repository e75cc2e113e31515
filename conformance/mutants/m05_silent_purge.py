"""M05: a user who waits and polls is taken out of the queue, and is not told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M05",
    "title": "the TTL purges a live waiter silently",
    "why": "A TTL that counts from the join, without a heartbeat and without a word.",
    "names": ["MM-L4"],
}


def mutate(server: Mutation) -> None:
    """Signs of life are not heard, and who was dropped is not remembered."""

    async def deaf(_engine: Any, _user: UUID) -> None:
        return None

    server.wrap(HardenedEngine, "alive", lambda _original: deaf)
    server.sql(
        "select g.user_id, clock_timestamp() from gone g where g.seen_at < v_oldest_life",
        "select g.user_id, clock_timestamp() from gone g where false",
    )
