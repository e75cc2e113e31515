"""No mutant: a lawful server of which each join takes some ms longer, as a measure of what a comparison must see."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation

SECONDS = float(os.environ.get("COMPARE_SLOWER_MS", "50")) / 1000


def mutate(server: Mutation) -> None:
    """Each join waits first."""

    def slower(original: Callable[..., Any]) -> Callable[..., Any]:
        async def join(engine: Any, user: Any, mode: str) -> Any:
            await asyncio.sleep(SECONDS)
            return await original(engine, user, mode)

        return join

    server.wrap(HardenedEngine, "join", slower)
