"""M26: for as long as the old connection is believed alive, the user who comes back is a duplicate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reference_server.matchmaking.routes import MatchingApi
from reference_server.mutation import Mutation
from reference_server.sessions.tracker import SessionTracker

MUTANT = {
    "id": "M26",
    "title": "a reconnect inside the keep-alive is refused as a duplicate",
    "why": "One connection for each user, held until its keep-alive ends: 30 s here.",
    "names": ["MM-L5"],
}


KEEP_ALIVE = 30.0
"""Seconds."""


def mutate(server: Mutation) -> None:
    """A join within the keep-alive of a socket that was lost is answered 409."""
    lost: dict[UUID, float] = {}

    def remembering(original: Callable[..., None]) -> Callable[..., None]:
        def socket_closed(tracker: Any, user: UUID, socket: int) -> None:
            original(tracker, user, socket)
            lost[user] = time.monotonic()

        return socket_closed

    def refusing(original: Callable[..., Any]) -> Callable[..., Any]:
        async def join(api: Any, request: Request) -> Response:
            user = api.caller(request)
            if user in lost and time.monotonic() - lost[user] < KEEP_ALIVE:
                return JSONResponse({"error": "Already connected"}, 409)
            answer: Response = await original(api, request)
            return answer

        return join

    server.wrap(SessionTracker, "socket_closed", remembering)
    server.wrap(MatchingApi, "join", refusing)
