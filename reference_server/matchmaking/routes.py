"""The application's own API: join and leave, as the deployed route handlers answer them (PROTOCOL 4)."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from reference_server.auth import TokenError, TokenVerifier
from reference_server.db import DatabaseError, Unavailable
from reference_server.limits.join_limit import TooManyJoins
from reference_server.matchmaking.engine import Engine, Match, NotQueued
from reference_server.sessions.liveness import Liveness
from reference_server.web.body import BadBody, read_json
from reference_server.web.caller import bearer_token, cookie_token
from reference_server.web.errors import Json

log = logging.getLogger(__name__)

MODES = ("buddies_first", "global")


def routes(engine: Engine, verifier: TokenVerifier, liveness: Liveness) -> list[BaseRoute]:
    """The routes `POST /api/matching/join` and `POST /api/matching/leave` over one engine."""
    api = MatchingApi(engine, verifier, liveness)
    return [
        Route("/api/matching/join", api.join, methods=["POST"]),
        Route("/api/matching/leave", api.leave, methods=["POST"]),
    ]


class MatchingApi:
    """Finds out who calls and what he wants; the engine does the rest."""

    def __init__(self, engine: Engine, verifier: TokenVerifier, liveness: Liveness) -> None:
        self._engine = engine
        self._verifier = verifier
        self._liveness = liveness

    async def join(self, request: Request) -> Response:
        """Queues the caller: 200 (with `match` where the engine tells it), 400, 401, 413, 429 or 500."""
        user = self._caller(request)
        if user is None:
            return _unauthorized()
        try:
            mode = match_mode(await read_json(request))
        except BadBody as error:
            return Json({"error": error.message}, error.status)
        self._liveness.seen(user)
        try:
            match = await self._engine.join(user, mode)
        except TooManyJoins as error:
            return Json({"error": str(error)}, 429, {"Retry-After": str(error.retry_after)})
        except (DatabaseError, Unavailable, OSError, NotQueued) as error:
            log.warning("join of %s failed: %s", user, error)
            return Json({"error": "Failed to join queue"}, 500)
        return Json({"message": "Joined queue successfully"} | _match_part(match))

    async def leave(self, request: Request) -> Response:
        """Removes the caller's queue entry: 200, 401 or 500."""
        user = self._caller(request)
        if user is None:
            return _unauthorized()
        try:
            await self._engine.leave(user)
        except (DatabaseError, Unavailable, OSError) as error:
            log.warning("leave of %s failed: %s", user, error)
            return Json({"error": "Failed to leave queue"}, 500)
        return Json({"message": "Left queue successfully"})

    def _caller(self, request: Request) -> UUID | None:
        """The signed-in user behind a bearer token or the web app's cookie."""
        token = bearer_token(request) or cookie_token(request)
        if token is None:
            return None
        try:
            claims = self._verifier.verify(token)
        except TokenError:
            return None
        return claims.sub if claims.role == "authenticated" else None


def match_mode(body: Any) -> str:
    """The mode that a join's body asks for; `buddies_first` where it does not say. Raises BadBody (400)."""
    if body is None:
        return MODES[0]
    mode = body.get("matchMode", MODES[0]) if isinstance(body, dict) else None
    if mode not in MODES:
        raise BadBody(400, f"matchMode must be one of {', '.join(MODES)}")
    return str(mode)


def _match_part(match: Match | None) -> dict[str, Any]:
    if match is None:
        return {}
    return {
        "match": {
            "session_id": str(match.session_id),
            "partner_id": str(match.partner_id),
            "offerer_id": str(match.offerer_id),
        }
    }


def _unauthorized() -> Response:
    return Json({"error": "Unauthorized"}, 401)
