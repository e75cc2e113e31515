"""L05: everything takes its time, and no more than is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation

MUTANT = {
    "id": "L05",
    "title": "slow, but inside the budgets",
    "why": "A distant region: joins take 0.3 s longer, and changes are told 0.3 s later.",
    "legal": True,
}


DELAY = 0.3
"""Seconds."""


def mutate(server: Mutation) -> None:
    """Joins wait before they begin; changes wait before they are told."""

    def slow(original: Callable[..., Any]) -> Callable[..., Any]:
        async def join(engine: Any, user: UUID, mode: str) -> Any:
            await asyncio.sleep(DELAY)
            return await original(engine, user, mode)

        return join

    server.set(feed_poll=DELAY)
    server.wrap(HardenedEngine, "join", slow)
