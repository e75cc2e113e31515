"""M93: who refreshes his token begins anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from reference_server.auth.accounts import Accounts
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M93",
    "title": "the limit counts tokens instead of users",
    "why": "A key for the count that was at hand.",
    "names": ["LIM-4"],
}

FORGET = "delete from gurukul.recent_joins where user_id = $1"


def mutate(server: Mutation) -> None:
    """With a new token the count, and what is remembered of it, is gone."""
    limits: list[dict[UUID, float]] = []

    def forgetting(original: Callable[..., Any]) -> Callable[..., Any]:
        async def refresh(accounts: Any, used: str) -> Any:
            signed_in = await original(accounts, used)
            async with accounts._database.connection() as connection:
                await connection.execute(FORGET, signed_in.account.id)
            for refused in limits:
                refused.pop(signed_in.account.id, None)
            return signed_in

        return refresh

    def known(parts: Any) -> None:
        limits.append(parts.engine._limit._refused)

    server.wrap(Accounts, "refresh", forgetting)
    server.parts(known)
