"""M96: while one user joins too often, everybody is slowed down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from reference_server.limits.join_limit import TooManyJoins
from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M96",
    "title": "a flood costs the others their match",
    "why": "A brake for all, meant for one. 4 s here, for 4 s after each refusal.",
    "names": ["LIM-7"],
}


BRAKE = 4.0
"""Seconds."""


def mutate(server: Mutation) -> None:
    """Joins that are not refused wait."""
    refused_at = -BRAKE

    def braking(original: Callable[..., Any]) -> Callable[..., Any]:
        async def join(engine: Any, user: UUID, mode: str) -> Any:
            nonlocal refused_at
            try:
                engine._limit.check(user)
                if time.monotonic() - refused_at < BRAKE:
                    await asyncio.sleep(BRAKE)
                return await original(engine, user, mode)
            except TooManyJoins:
                refused_at = time.monotonic()
                raise

        return join

    server.wrap(HardenedEngine, "join", braking)
