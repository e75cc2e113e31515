"""The outermost layer: requests that are too large go no further, and browsers of every origin may read the answers."""

from __future__ import annotations

from collections.abc import Awaitable
from itertools import chain

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reference_server.web.errors import Json

ADDRESS_LIMIT = 8_192
"""Bytes of path and query together."""
HEADERS_LIMIT = 32_768
"""Bytes of all header names and values; the session cookie of the web app takes up to 10,000."""

# As Supabase's gateway answers browsers: every origin, all headers, no credentials (tokens travel in headers).
_ANY_ORIGIN = (b"access-control-allow-origin", b"*")
_EXPOSED = (
    b"access-control-expose-headers",
    (
        b"Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Link, Location, Preference-Applied, "
        b"Proxy-Status, Range-Unit, Retry-After, Server, Transfer-Encoding, WWW-Authenticate, X-Request-Id, "
        b"X-Sb-Error-Code, X-Supabase-Api-Version, X-Total-Count"
    ),
)
_PREFLIGHT = [
    _ANY_ORIGIN,
    (b"access-control-allow-methods", b"GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT"),
    (b"access-control-max-age", b"3600"),
    (b"vary", b"Access-Control-Request-Headers"),
    (b"content-length", b"0"),
]
_USUAL = (
    b"authorization, x-client-info, apikey, content-type, prefer, range, accept-profile, content-profile, "
    b"x-supabase-api-version, x-retry-count"
)


class Edge:
    """Wraps an application; answers preflights (Fetch standard, "CORS-preflight request") itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hands a socket on without staying in between: each layer would cost it memory for as long as it is open."""
        return self._serve(scope, receive, send) if scope["type"] == "http" else self._app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_to_all(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _ANY_ORIGIN, _EXPOSED]
            await send(message)

        if (refusal := _too_large(scope)) is not None:
            await refusal(scope, receive, send_to_all)
        elif scope["method"] == "OPTIONS" and (asked := _preflight(scope)) is not None:
            headers = [*_PREFLIGHT, (b"access-control-allow-headers", asked)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._app(scope, receive, send_to_all)


def _too_large(scope: Scope) -> Json | None:
    """414 or 431 (RFC 9110 section 15.5.15, RFC 6585 section 5) for a request whose head is too large."""
    if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > ADDRESS_LIMIT:
        return Json({"message": f"The address is longer than {ADDRESS_LIMIT} bytes"}, 414)
    if sum(map(len, chain.from_iterable(scope["headers"]))) > HEADERS_LIMIT:
        return Json({"message": f"The headers are larger than {HEADERS_LIMIT} bytes"}, 431)
    return None


def _preflight(scope: Scope) -> bytes | None:
    """The headers that a preflight asks for; None for a request that is none."""
    headers = dict(scope["headers"])
    if b"origin" not in headers or b"access-control-request-method" not in headers:
        return None
    asked: bytes = headers.get(b"access-control-request-headers", b"")
    return asked or _USUAL
