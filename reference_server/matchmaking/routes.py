"""The application's own API: join and leave, as the deployed route handlers answer them (PROTOCOL 4)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from reference_server.auth import TokenError, TokenVerifier
from reference_server.db import DatabaseError, Unavailable
from reference_server.limits.join_limit import TooManyJoins
from reference_server.matchmaking.engine import Engine, JoinResult, Match, NoSuchUser, NotQueued, TellsStatus
from reference_server.sessions.liveness import Liveness
from reference_server.web.body import BadBody, read_json
from reference_server.web.caller import bearer_token, cookie_token
from reference_server.web.errors import Json, unavailable
from reference_server.web.lean import Lean, Written

log = logging.getLogger(__name__)

MODES = ("buddies_first", "global")


Joined = Callable[[JoinResult], None]


def routes(
    engine: Engine,
    verifier: TokenVerifier,
    liveness: Liveness,
    stopping: Callable[[], bool] = lambda: False,
    joined: Joined = lambda _result: None,
) -> list[BaseRoute]:
    """`POST /api/matching/join` and `…/leave` over one engine, and `GET …/status` where it tells that.

    While `stopping` says so, joins are sent away: there will be other instances, or this one again. `joined` is told
    what became of each join.
    """
    api = MatchingApi(engine, verifier, liveness, stopping, joined)
    found: list[BaseRoute] = [
        Route("/api/matching/join", Lean(api.join), methods=["POST"]),
        Route("/api/matching/leave", api.leave, methods=["POST"]),
    ]
    if isinstance(engine, TellsStatus):
        found.append(Route("/api/matching/status", StatusApi(engine, api).status, methods=["GET"]))
    return found


class MatchingApi:
    """Finds out who calls and what he wants; the engine does the rest."""

    def __init__(
        self,
        engine: Engine,
        verifier: TokenVerifier,
        liveness: Liveness,
        stopping: Callable[[], bool],
        joined: Joined,
    ) -> None:
        self._stopping = stopping
        self._joined = joined
        self._engine = engine
        self._verifier = verifier
        self._liveness = liveness

    async def join(self, request: Request) -> Response:
        """Queues the caller: 200 (with `match` where the engine tells it), 400, 401, 413, 429, 500 or 503."""
        user = self.caller(request)
        if user is None:
            return _unauthorized()
        try:
            mode = match_mode(await read_json(request))
        except BadBody as error:
            return Json({"error": error.message}, error.status)
        if self._stopping():
            self._joined("stopping")
            return _stopping()
        self._liveness.seen(user)
        try:
            match = await self._engine.join(user, mode)
        except TooManyJoins as error:
            self._joined("rate_limited")
            return Json({"error": str(error)}, 429, {"Retry-After": str(error.retry_after)})
        except NoSuchUser:
            self._joined("no_such_user")
            return _unauthorized()
        except (DatabaseError, Unavailable, OSError, NotQueued) as error:
            log.warning("join of %s failed: %s", user, error)
            self._joined("failed")
            return Json({"error": "Failed to join queue"}, 500)
        self._joined("waiting" if match is None else "matched")
        return Written(orjson.dumps({"message": "Joined queue successfully", **_match_part(match)}))

    async def leave(self, request: Request) -> Response:
        """Removes the caller's queue entry: 200, 401 or 500."""
        user = self.caller(request)
        if user is None:
            return _unauthorized()
        try:
            await self._engine.leave(user)
        except (DatabaseError, Unavailable, OSError) as error:
            log.warning("leave of %s failed: %s", user, error)
            return Json({"error": "Failed to leave queue"}, 500)
        return Json({"message": "Left queue successfully"})

    def present(self, request: Request) -> UUID | None:
        """The caller, of whom this request is a sign of life."""
        user = self.caller(request)
        if user is not None:
            self._liveness.seen(user)
        return user

    def caller(self, request: Request) -> UUID | None:
        """The signed-in user behind a bearer token or the web app's cookie."""
        token = bearer_token(request) or cookie_token(request)
        if token is None:
            return None
        try:
            claims = self._verifier.verify(token)
        except TokenError:
            return None
        return claims.sub if claims.role == "authenticated" else None


class StatusApi:
    """Tells the caller where he stands; asking is a sign of life."""

    def __init__(self, engine: TellsStatus, api: MatchingApi) -> None:
        self._engine = engine
        self._api = api

    async def status(self, request: Request) -> Response:
        """`{"status": "waiting" | "matched" | "expired" | "idle"}`, with `match` where he is matched; 401 or 503."""
        user = self._api.present(request)
        if user is None:
            return _unauthorized()
        try:
            status = await self._engine.status(user)
        except (DatabaseError, Unavailable, OSError) as error:
            log.warning("status of %s failed: %s", user, error)
            return unavailable()
        return Json({"status": status.state} | _match_part(status.match))


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


def _stopping() -> Response:
    return Json({"error": "The server is stopping. Please try again."}, 503, {"Retry-After": "1"})


def _unauthorized() -> Response:
    return Json({"error": "Unauthorized"}, 401)
