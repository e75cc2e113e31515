"""L09: an entry lives from the join on, whatever its user does, and he can ask what became of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation

MUTANT = {
    "id": "L09",
    "title": "the TTL is absolute, but told to the client",
    "why": "The document counts from the join; what it lacks is the word.",
    "legal": True,
}


def mutate(server: Mutation) -> None:
    """Signs of life are not heard; `status` says expired."""

    async def deaf(_engine: Any, _user: UUID) -> None:
        return None

    server.wrap(HardenedEngine, "alive", lambda _original: deaf)
