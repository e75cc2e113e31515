"""The opening of a Realtime socket: what the URL must carry, and the HTTP refusals (PROTOCOL 1.1)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson
from starlette.datastructures import Headers
from starlette.types import Scope, Send

from reference_server.realtime.frames import VERSIONS, Version, version_of
from reference_server.realtime.identity import Denied, Now, Verify, identify
from reference_server.realtime.quotas import TOO_MANY_JOINS, TOO_MANY_USERS, Quotas
from reference_server.telemetry.request_id import response_headers


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


def read_opening(scope: Scope, verify: Verify, now: Now, quotas: Quotas, origins: frozenset[str]) -> Opening:
    """Judges an upgrade request. `origins` are those that a browser may come from; empty: any.

    Raises:
        RefusedUpgrade: 401 without a good key, 403 from a foreign origin, 429 over the plan's ceilings, 400 for a
            version that is not served.
    """
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if origins and origin is not None and origin.lower() not in origins:
        raise RefusedUpgrade(403, "Origin is not allowed")
    apikey = headers.get("x-api-key") or query.get("apikey")
    if not apikey:
        raise RefusedUpgrade(401, "API key is missing")
    try:
        identify(apikey, verify, now)
    except Denied as denied:
        raise RefusedUpgrade(401, denied.short) from denied
    if quotas.full:
        raise RefusedUpgrade(429, TOO_MANY_USERS)
    if quotas.joins.exceeded:
        raise RefusedUpgrade(429, TOO_MANY_JOINS)
    version = version_of(query.get("vsn"))
    if version is None:
        raise RefusedUpgrade(400, f"vsn {query['vsn']!r} is not served, only {' and '.join(VERSIONS)}")
    return Opening(apikey, version)


def parse_origins(text: str) -> frozenset[str]:
    """The origins of a setting, separated by commas."""
    return frozenset(origin.strip().lower().rstrip("/") for origin in text.split(",") if origin.strip())


async def refuse(scope: Scope, send: Send, refusal: RefusedUpgrade, delay: float) -> None:
    """Answers with an HTTP response (ASGI extension `websocket.http.response`), or a plain 403 where there is none.

    Refusals of a rate or of an authorisation are held back for `delay` seconds.
    """
    if refusal.status in {401, 403, 429}:
        await asyncio.sleep(delay)
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.text})
        return
    body = orjson.dumps({"error": refusal.text})
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *response_headers(),
    ]
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
