"""L02: nobody finds his match by asking for it; whoever wants to know listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reference_server.mutation import Mutation
from reference_server.rest.routes import _Rest

MUTANT = {
    "id": "L02",
    "title": "push only (declared)",
    "why": "A service that tells. Of sessions one can only look at those whose id one was told.",
    "legal": True,
    "capabilities": {"poll": False},
}


def mutate(server: Mutation) -> None:
    """The documented poll, all sessions that name a user, is not served."""

    def without_poll(original: Callable[..., Any]) -> Callable[..., Any]:
        async def rows(rest: Any, request: Request, claims: Any) -> Response:
            if request.method == "GET" and request.query_params.get("or", "").startswith("(user1_id.eq."):
                return JSONResponse({"message": "sessions are told, and not searched for"}, 404)
            answer: Response = await original(rest, request, claims)
            return answer

        return rows

    server.wrap(_Rest, "rows", without_poll)
