"""A route for what must be quick: the handler itself, without what a web framework puts around a function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]


class Lean:
    """A handler as an ASGI application, for Starlette's `Route`.

    Starlette looks for exception handlers around the whole application and again around each function that is a route;
    one of the two will do.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        response = await self._handler(Request(scope, receive, send))
        await response(scope, receive, send)
