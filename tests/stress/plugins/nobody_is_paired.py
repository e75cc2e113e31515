"""No mutant: a server that lets everybody wait, as if no two users suited each other.

The engines pair anybody with anybody, so that a queue of thousands does not come about by itself. Here a join is put
into the queue and stays; sockets, polls, heartbeats, signs of life and sweeps are the hardened engine's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation

_WAIT = "insert into public.waiting_queue (user_id, match_mode) values ($1, $2) on conflict (user_id) do nothing"
_NO_PAIRS = """
create or replace function gurukul.pair_up(
    p_users uuid[], p_modes text[], out earlier uuid[], out later uuid[], out over uuid
) language plpgsql as $$
begin
    earlier := '{}';
    later := '{}';
end;
$$;
"""


def mutate(server: Mutation) -> None:
    """Joins wait, and no pass finds a pair."""
    server.add_sql(_NO_PAIRS)

    def waiting(_original: Callable[..., Any]) -> Callable[..., Any]:
        async def join(engine: Any, user: Any, mode: str) -> None:
            async with engine._database.connection() as connection:
                await connection.execute(_WAIT, user, mode)

        return join

    server.wrap(HardenedEngine, "join", waiting)
