"""The layer around the whole application in which a request gets its id, is counted, and is logged if asked for."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from time import perf_counter

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reference_server.telemetry.metrics import Metrics
from reference_server.telemetry.request_id import NAME, RequestIds

log = logging.getLogger("reference_server.access")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""Stands for a method that is none of those, and for a path that no route serves: callers must not make up series."""


class Requests:
    """Wraps an application. A socket has the id of the request that opened it, and is counted elsewhere."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, access_log: bool = False) -> None:
        self._app = app
        self._ids = RequestIds()
        self._access_log = access_log
        self._requests = metrics.requests
        self._durations = metrics.request_duration
        self._bound: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hands a socket on without staying in between: each layer would cost it memory for as long as it is open."""
        request_id = self._ids.choose(scope["headers"]) if "headers" in scope else b""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        return self._serve(request_id, scope, receive, send)

    async def _serve(self, request_id: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        status = 500  # what the server answers where the application raises before it does

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (NAME, request_id)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._ended(scope, status, perf_counter() - began)

    def _ended(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = scope["method"], getattr(scope.get("route"), "path", OTHER)
        kind = (method, route, status)
        bound = self._bound.get(kind)
        if bound is None:
            known = method if method in METHODS else OTHER
            bound = self._requests.labels(known, route, status), self._durations.labels(known, route)
            self._bound[kind] = bound
        bound[0].inc()
        bound[1].observe(seconds)
        if self._access_log:
            fields = {"method": method, "path": scope["path"], "route": route, "status": status, "seconds": seconds}
            log.info("%s %s %d %.1f ms", method, scope["path"], status, seconds * 1000, extra=fields)
