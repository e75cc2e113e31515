"""M29: after a restart subscriptions are accepted as ever, and nothing is told to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from reference_server.mutation import Mutation
from reference_server.realtime.feed import Feed

MUTANT = {
    "id": "M29",
    "title": "subscriptions are silently dead after a restart",
    "why": "A change feed that is set up when the tables are made, and not when the server comes back.",
    "names": ["MM-L7"],
}


def mutate(server: Mutation) -> None:
    """A feed that starts when there have been sessions already follows the log and tells nobody."""

    def otherwise(original: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
        async def start(feed: Any) -> None:
            async with feed._database.connection() as connection:
                again = await connection.fetchval("select exists (select from public.chat_sessions)")
            if again:
                feed._hand_out = _nobody
            await original(feed)

        return start

    server.wrap(Feed, "start", otherwise)


async def _nobody(*_arguments: Any) -> None:
    return None
