"""M51: a leave is accepted at once and carried out a second later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M51",
    "title": "a leave is accepted before it is done",
    "why": "Leaves that go through a queue of their own.",
    "names": ["MM-S6"],
}


def mutate(server: Mutation) -> None:
    """The reply comes first."""
    leaving: set[asyncio.Task[Any]] = set()

    def late(original: Callable[..., Any]) -> Callable[..., Any]:
        async def leave(engine: Any, user: UUID) -> None:
            async def work() -> None:
                await asyncio.sleep(1.0)
                await original(engine, user)

            task = asyncio.create_task(work())
            leaving.add(task)
            task.add_done_callback(leaving.discard)

        return leave

    server.wrap(HardenedEngine, "leave", late)
