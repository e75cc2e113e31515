"""L08: every sign of life is written into the queue at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation

MUTANT = {
    "id": "L08",
    "title": "the TTL is renewed by a heartbeat",
    "why": "The plain engine gathers signs of life; here each one is a statement.",
    "legal": True,
}


RENEW = "update public.waiting_queue set seen_at = clock_timestamp() where user_id = $1"


def mutate(server: Mutation) -> None:
    """A poll or a frame of a socket renews the entry."""

    async def alive(engine: Any, user: UUID) -> None:
        await engine._execute(RENEW, user)

    server.wrap(HardenedEngine, "alive", lambda _original: alive)
