"""L06: a user who waits already is told so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reference_server.matchmaking.routes import MatchingApi
from reference_server.mutation import Mutation

MUTANT = {
    "id": "L06",
    "title": "409 on a second join (declared)",
    "why": "The document's queue has one row for a user; whether a second join renews it is not said.",
    "legal": True,
    "capabilities": {"second_join_conflicts": True},
}


COUNT = "select retry_after[1] from gurukul.refuse_joins(array[$1::uuid], array[1], $2, $3)"


def mutate(server: Mutation) -> None:
    """A join by somebody who waits changes nothing, and is answered 409."""

    def strict(original: Callable[..., Any]) -> Callable[..., Any]:
        async def join(api: Any, request: Request) -> Response:
            user = api.caller(request)
            if user is not None and (await api._engine.status(user)).state == "waiting":
                return await _conflict(api._engine, user)
            answer: Response = await original(api, request)
            return answer

        return join

    server.wrap(MatchingApi, "join", strict)


async def _conflict(engine: Any, user: UUID) -> Response:
    """409, and 429 for one who asks too often: a refused join counts too."""
    limit = engine._limit
    async with engine._database.connection() as connection:
        seconds = await connection.fetchval(COUNT, user, limit.limit, limit.window)
    if seconds is None:
        return JSONResponse({"error": "Already in queue"}, 409)
    refusal = limit.refuse(user, seconds)
    return JSONResponse({"error": str(refusal)}, 429, {"Retry-After": str(refusal.retry_after)})
