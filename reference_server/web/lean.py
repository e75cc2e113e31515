"""A route for what must be quick: the handler itself, without what a web framework puts around a function."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reference_server.web.errors import failed

log = logging.getLogger(__name__)


class Written(Response):
    """A body of JSON that is written already.

    Args:
        body: the body.
        status: 200 unless said.
        headers: beside its length and type, as they go over the wire.
        media_type: of the body.
    """

    def __init__(
        self,
        body: bytes,
        status: int = 200,
        headers: Sequence[tuple[bytes, bytes]] = (),
        media_type: bytes = b"application/json",
    ) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", media_type), *headers]


class Lean:
    """A handler as an ASGI application: the endpoint of a `Route`, which the application calls without the router.

    What the framework's layers would do with an error is done here.

    Args:
        handler: gets the request.
        paths: the addresses that are reached so, where the route's own path is a pattern; the router finds the others.
    """

    def __init__(self, handler: Callable[[Request], Awaitable[Response]], paths: Iterable[str] = ()) -> None:
        self._handler = handler
        self.paths = tuple(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; 500 where the handler raises."""
        try:
            response = await self._handler(Request(scope, receive, send))
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            response = failed()
        await response(scope, receive, send)
