"""M144: a server that starts believes that nobody talks, and sweeps the sessions away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M144",
    "title": "a crash takes every session with it",
    "why": "A clean start: what was left over from the last run is deleted.",
    "names": ["MM-S10"],
}


def mutate(server: Mutation) -> None:
    """Every start empties the table of sessions."""

    def otherwise(original: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
        async def start(engine: Any) -> None:
            await original(engine)
            async with engine._database.connection() as connection:
                await connection.execute("delete from public.chat_sessions")

        return start

    server.wrap(HardenedEngine, "start", otherwise)
