"""The composition root: the only module that knows every part; a server that differs in one part is built here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from reference_server.auth import TokenSigner, TokenVerifier, anon_key
from reference_server.auth.keys import KeyRefused, given_key, made_key
from reference_server.auth.routes import routes as auth_routes
from reference_server.db import Database, Refused, Unavailable
from reference_server.jobs.schedule import Schedule
from reference_server.matchmaking.announcing import Broadcaster, match_found
from reference_server.matchmaking.documented import DocumentedEngine
from reference_server.matchmaking.engine import Engine, TellsStatus
from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.matchmaking.routes import routes as matching_routes
from reference_server.mutation import read_mutation
from reference_server.openapi.document import routes as openapi_routes
from reference_server.plans import PLANS
from reference_server.realtime import Realtime
from reference_server.rest.catalogue import Catalogue, load_catalogue
from reference_server.rest.polls import Polls
from reference_server.rest.routes import routes as rest_routes
from reference_server.sessions.live_sockets import LiveSockets
from reference_server.sessions.liveness import Liveness
from reference_server.sessions.tracker import POLL_PATIENCE, SessionTracker
from reference_server.settings import Settings
from reference_server.telemetry import Telemetry, Watched
from reference_server.turn.credentials import Relay, read_uris
from reference_server.turn.routes import routes as turn_routes
from reference_server.web.caller import Gateway
from reference_server.web.door import Door
from reference_server.web.edge import Edge
from reference_server.web.errors import Json, failed, not_served, unavailable
from reference_server.web.lean import Lean

_OWN_CONNECTIONS = 4
"""Beside the pool: two of the change feed, that of the joins, and that of the polls."""

_URGENT = ("/health", "/ready", "/metrics")
"""Who asks this wants to know how the server does, and gives it up when the answer is late."""


class Service(Protocol):
    """A part with a life of its own: started before the first request, stopped after the last."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class RealtimeService(Service, Broadcaster, Watched, Protocol):
    """Realtime: it answers at an address of its own, takes what the server itself broadcasts, and can be measured."""

    def routes(self) -> list[BaseRoute]: ...
    async def close_sockets(self) -> None: ...


class LivenessService(Service, Liveness, Protocol):
    """A tracker of signs of life."""


@dataclass(frozen=True)
class EngineEntry:
    """An engine by name: what it is built with, and the file of SQL that it needs."""

    build: Callable[[Settings, Database], Engine]
    sql: str

    def sql_text(self) -> str:
        """The engine's SQL, installed after the schema."""
        return (files("reference_server") / "matchmaking" / self.sql).read_text(encoding="utf-8")


ENGINES = {
    "documented": EngineEntry(DocumentedEngine, "documented.sql"),
    "hardened": EngineEntry(HardenedEngine, "hardened.sql"),
}


@dataclass
class Parts:
    """Everything that the server is made of. Replace a part before `build_app`, and the server differs in that."""

    settings: Settings
    database: Database
    signer: TokenSigner
    verifier: TokenVerifier
    gateway: Gateway
    catalogue: Catalogue
    anon_key: str
    engine: Engine
    liveness: LivenessService
    realtime: RealtimeService
    jobs: Service
    polls: Polls
    telemetry: Telemetry
    route_lists: Sequence[Callable[[Parts], list[BaseRoute]]]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server has been told to stop: new joins are sent away, what has come is done."""


async def build_parts(settings: Settings, engines: dict[str, EngineEntry] | None = None) -> Parts:
    """Opens the database, installs the schema, and makes the parts, with the fault of `settings.mutant` where there is
    one; nothing is started yet.

    The caller closes `parts.database` (`running` does).

    Raises:
        Refused: the server cannot run with these settings.
    """
    if not settings.database_url:
        raise Refused("no database is named", "give --database-url or set GURUKUL_DATABASE_URL")
    mutation = read_mutation(settings)
    settings = mutation.settings
    signer = _signer(settings)
    entry = (engines or ENGINES)[settings.engine]
    timeouts = {"anon": settings.anon_statement_timeout, "authenticated": settings.authenticated_statement_timeout}
    database = await Database.open(settings.database_url, _pool_size(settings), timeouts)
    try:
        await database.install(settings.engine, entry.sql_text(), mutation.rewritten)
        catalogue = await load_catalogue(database)
    except BaseException:
        await database.close()
        raise
    verifier = TokenVerifier(*signer.verification_keys(), issuer=settings.jwt_issuer or None)
    engine = mutation.engine(entry.build)(settings, database)
    grace = settings.disconnect_grace
    elsewhere = LiveSockets(database, settings.instance_timeout, grace, max(grace, POLL_PATIENCE))
    liveness = SessionTracker(engine, settings, elsewhere)
    parts = Parts(
        settings=settings,
        database=database,
        signer=signer,
        verifier=verifier,
        gateway=Gateway(verifier),
        catalogue=catalogue,
        anon_key=anon_key(signer),
        engine=engine,
        liveness=liveness,
        realtime=Realtime(settings, database, verifier, liveness),
        jobs=Schedule(database, engine.jobs()),
        polls=Polls(database, together=settings.engine != "documented"),
        telemetry=Telemetry(database),
        route_lists=ROUTE_LISTS,
    )
    return mutation.applied(parts)


def _signer(settings: Settings) -> TokenSigner:
    """Who signs tokens. Raises Refused for a key file that holds no key for it."""
    if settings.jwt_algorithm == "HS256":
        return TokenSigner(settings.jwt_secret)
    if settings.jwt_key_file is None:
        return TokenSigner(settings.jwt_secret, made_key(settings.jwt_secret))
    try:
        return TokenSigner(settings.jwt_secret, given_key(settings.jwt_key_file.read_text(encoding="utf-8")))
    except (OSError, UnicodeError, KeyRefused) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        remedy = "make one: openssl ecparam -name prime256v1 -genkey -noout"
        raise Refused(f"--jwt-key-file {settings.jwt_key_file}: {reason}", remedy) from None


def _pool_size(settings: Settings) -> int:
    """The pool that is asked for, within this process's part of what the plan's database takes.

    Raises:
        Refused: so many processes would not have a connection each beside those that some work has for itself.
    """
    most = PLANS[settings.plan].database_connections
    if most is None:
        return settings.database_pool
    left = most // settings.workers - _OWN_CONNECTIONS
    if left < 1:
        what = f"--workers {settings.workers} share the {most} database connections of --plan {settings.plan}"
        raise Refused(what, f"start {most // (_OWN_CONNECTIONS + 1)} workers at most")
    return min(settings.database_pool, left)


@asynccontextmanager
async def running(parts: Parts) -> AsyncIterator[None]:
    """Starts the parts in the order in which they lean on each other, and stops them in reverse, come what may."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(parts.database.close)
        parts.engine.announce = match_found(parts.realtime)
        parts.engine.observer = parts.telemetry.matching
        parts.telemetry.watch(parts.realtime)
        # What the engine finishes at its end is told through Realtime.
        services: tuple[Service, ...] = (
            parts.telemetry, parts.realtime, parts.engine, parts.liveness, parts.jobs, parts.polls,
        )  # fmt: skip
        for service in services:
            stack.push_async_callback(service.stop)
            await service.start()
        yield


class _Application(Starlette):
    """Starlette behind the edge: an error of ours, too, can be read by a browser. What the edge answers is measured."""

    around: Callable[[ASGIApp], ASGIApp]
    sockets: dict[str, ASGIApp]
    """By path: what serves them. They go past the framework, whose layers would cost each of them 3 KB."""
    lean: dict[tuple[str, str], Route]
    """By method and path: what goes past it, too, because everybody waits for it."""

    def build_middleware_stack(self) -> ASGIApp:
        inner = super().build_middleware_stack()

        def fork(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            if scope["type"] == "websocket":
                return self.sockets.get(scope["path"], inner)(scope, receive, send)
            route = self.lean.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
            if route is None:
                return inner(scope, receive, send)
            scope["route"] = route
            return route.app(scope, receive, send)

        return self.around(Edge(fork))


def build_app(parts: Parts) -> Starlette:
    """The application over these parts; its lifespan is `running`."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with running(parts):
            yield

    app = _Application(
        routes=[route for route_list in parts.route_lists for route in route_list(parts)],
        lifespan=lifespan,
        exception_handlers={404: _not_found, 405: _wrong_method, Unavailable: _unavailable, Exception: _failed},
    )
    app.sockets = {route.path: route.app for route in app.routes if isinstance(route, WebSocketRoute)}
    app.lean = {
        (method, path): route
        for route in app.routes
        if isinstance(route, Route) and isinstance(route.app, Lean)
        for method in route.methods or ()
        for path in route.app.paths or (route.path,)
    }
    around = partial(parts.telemetry.around, access_log=parts.settings.access_log)
    documented = parts.settings.engine == "documented"
    app.around = around if documented else lambda inner: around(Door(inner, besides=_URGENT))
    return app


async def _not_found(request: Request, _error: Exception) -> Response:
    return not_served(f"{request.method} {request.scope['path']}")


async def _wrong_method(request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, HTTPException) else None
    return Json({"error": f"{request.method} {request.scope['path']} is not served here"}, 405, headers)


async def _failed(_request: Request, _error: Exception) -> Response:
    """For a mistake of ours; the framework raises the error on, and it is logged."""
    return failed()


async def _unavailable(_request: Request, _error: Exception) -> Response:
    return unavailable()


def health_routes(parts: Parts) -> list[BaseRoute]:
    """GET /health: the process is up; GET /ready: the database answers too."""

    async def health(_request: Request) -> Response:
        return Json({"status": "ok"})

    async def ready(_request: Request) -> Response:
        async with parts.database.connection() as connection:
            await connection.fetchval("select 1")
        return Json({"status": "ready", "engine": parts.engine.name})

    return [Route("/health", health), Route("/ready", ready)]


def _auth(parts: Parts) -> list[BaseRoute]:
    return auth_routes(parts.settings, parts.database, parts.signer, parts.verifier, parts.gateway)


def _rest(parts: Parts) -> list[BaseRoute]:
    version = parts.settings.postgrest_version
    return rest_routes(parts.database, parts.polls, parts.gateway, parts.liveness, parts.catalogue, version)


def _matching(parts: Parts) -> list[BaseRoute]:
    joined = parts.telemetry.joined
    return matching_routes(parts.engine, parts.verifier, parts.liveness, parts.stopping.is_set, joined)


def _turn(parts: Parts) -> list[BaseRoute]:
    settings = parts.settings
    relay: Relay | None = None
    uris = read_uris(settings.turn_uris)
    if settings.engine != "documented" and settings.turn_secret and uris:
        relay = Relay(settings.turn_secret, uris, settings.turn_ttl)
    return turn_routes(relay, parts.verifier)


def _openapi(parts: Parts) -> list[BaseRoute]:
    return openapi_routes(parts.catalogue, tells_status=isinstance(parts.engine, TellsStatus))


def _metrics(parts: Parts) -> list[BaseRoute]:
    return parts.telemetry.routes() if parts.settings.metrics else []


def _realtime(parts: Parts) -> list[BaseRoute]:
    return parts.realtime.routes()


ROUTE_LISTS = (_matching, _rest, _realtime, _auth, _turn, health_routes, _openapi, _metrics)
"""Tried one after the other, so the busiest come first; no two of them share an address."""
