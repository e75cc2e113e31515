"""The opening of a Realtime socket: what the URL must carry, and the HTTP refusals (PROTOCOL 1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson
from starlette.datastructures import Headers
from starlette.types import Scope, Send

from reference_server.realtime.frames import VERSIONS, Version, version_of
from reference_server.realtime.identity import Denied, Now, Verify, identify


@dataclass(frozen=True, slots=True)
class Opening:
    """A request that may become a socket: its key, verified, and its frame version."""

    apikey: str
    version: Version


class RefusedUpgrade(Exception):
    """A request that does not become a socket: HTTP status and the text of `{"error": …}`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text


def read_opening(scope: Scope, verify: Verify, now: Now) -> Opening:
    """Judges an upgrade request.

    Raises:
        RefusedUpgrade: 401 without a good key, 400 for a version that is not served.
    """
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    apikey = Headers(scope=scope).get("x-api-key") or query.get("apikey")
    if not apikey:
        raise RefusedUpgrade(401, "API key is missing")
    try:
        identify(apikey, verify, now)
    except Denied as denied:
        raise RefusedUpgrade(401, denied.short) from denied
    version = version_of(query.get("vsn"))
    if version is None:
        raise RefusedUpgrade(400, f"vsn {query['vsn']!r} is not served, only {' and '.join(VERSIONS)}")
    return Opening(apikey, version)


async def refuse(scope: Scope, send: Send, refusal: RefusedUpgrade) -> None:
    """Answers with an HTTP response (ASGI extension `websocket.http.response`), or a plain 403 where there is none."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.text})
        return
    body = orjson.dumps({"error": refusal.text})
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
