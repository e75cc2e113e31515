"""`GET /api/turn/credentials`: what a peer gives to its ICE agent so that it may use the relay."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from reference_server.auth import TokenError, TokenVerifier
from reference_server.turn.credentials import Relay
from reference_server.web.caller import session_token
from reference_server.web.errors import Json


def routes(relay: Relay | None, verifier: TokenVerifier) -> list[BaseRoute]:
    """200 with credentials for the signed-in caller, or 404 where no TURN server is deployed; 401 for anybody else."""

    async def credentials(request: Request) -> Response:
        user = _user(request, verifier)
        if user is None:
            return Json({"error": "Unauthorized"}, 401)
        if relay is None:
            return Json({"error": "No TURN server is deployed", "code": "turn_not_deployed"}, 404)
        return Json(relay.credentials(user, time.time()), headers={"Cache-Control": "no-store"})

    return [Route("/api/turn/credentials", credentials)]


def _user(request: Request, verifier: TokenVerifier) -> str | None:
    token = session_token(request)
    if token is None:
        return None
    try:
        claims = verifier.verify(token)
    except TokenError:
        return None
    return None if claims.sub is None else str(claims.sub)
