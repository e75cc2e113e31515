"""Broadcasts over HTTP: POST /realtime/v1/api/broadcast, and one for a single message (PROTOCOL 1.6)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from reference_server.auth.claims import Claims
from reference_server.db import Database
from reference_server.nesting import is_writable
from reference_server.realtime.authorizer import rights_in
from reference_server.realtime.channel import TOPIC_PREFIX, room_of
from reference_server.realtime.frames import LONGEST_NAME, Message, Payload, UserBroadcast
from reference_server.realtime.identity import Denied, Verify, identify
from reference_server.realtime.quotas import Quotas
from reference_server.web.body import BadBody, read_body
from reference_server.web.caller import bearer_token
from reference_server.web.errors import Json

BASE = "/realtime/v1/api/broadcast"
BODY_LIMIT = 5_000_000
_BINARY = "application/octet-stream"
_BLANK = "can't be blank"
_TOO_LONG = f"a binary frame carries names of at most {LONGEST_NAME} bytes"

Tell = Callable[[str, Message], None]
"""A room, and what to tell there."""


@dataclass(frozen=True, slots=True)
class Posted:
    """One message of a request."""

    topic: str
    private: bool
    message: Message
    size: int


class _Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.response = Json(body, status)


def broadcast_routes(verify: Verify, database: Database, quotas: Quotas, tell: Tell) -> list[BaseRoute]:
    """The two routes. A message to a private channel is dropped silently where its sender may not write there."""

    async def post(request: Request, read: Callable[[Request, bytes], list[Posted]]) -> Response:
        try:
            claims = _caller(request, verify)
            posted = read(request, await read_body(request, BODY_LIMIT))
            _check(posted, quotas)
        except _Refused as refusal:
            return refusal.response
        except BadBody as bad:
            return Json({"message": bad.message}, bad.status)
        for one in await _allowed(posted, claims, database):
            quotas.messages.add()
            tell(room_of(one.topic, one.private), one.message)
        return Response(status_code=202)

    async def batch(request: Request) -> Response:
        return await post(request, _read_batch)

    async def single(request: Request) -> Response:
        return await post(request, _read_single)

    return [
        Route(BASE, batch, methods=["POST"]),
        Route(BASE + "/{names:path}", single, methods=["POST"]),
    ]


def _caller(request: Request, verify: Verify) -> Claims:
    token = bearer_token(request) or ""
    if not token or token.startswith("sb_"):
        headers = request.headers
        token = headers.get("x-api-key") or headers.get("apikey") or request.query_params.get("apikey") or ""
    try:
        return identify(token, verify, time.time).claims
    except Denied:
        raise _Refused(401, {"message": "Unauthorized"}) from None


def _read_batch(_request: Request, body: bytes) -> list[Posted]:
    messages = _json(body).get("messages")
    if not isinstance(messages, list):
        raise _Refused(422, {"errors": {"messages": [_BLANK if messages is None else "is invalid"]}})
    errors = [_errors(message) for message in messages]
    if not messages or any(errors):
        raise _Refused(422, {"errors": {"messages": errors or [_BLANK]}})
    return [_posted(message) for message in messages]


def _errors(message: Any) -> dict[str, list[str]]:
    """What is wrong with a message, by field."""
    if not isinstance(message, dict):
        return {"message": ["is invalid"]}
    errors: dict[str, list[str]] = {}
    for name, kind in (("topic", str), ("event", str), ("payload", dict)):
        value = message.get(name)
        if value is None or value == "":
            errors[name] = [_BLANK]
        elif not isinstance(value, kind):
            errors[name] = ["is invalid"]
    if not isinstance(message.get("private", False), bool):
        errors["private"] = ["is invalid"]
    return errors


def _posted(message: dict[str, Any]) -> Posted:
    body = {"type": "broadcast", "event": message["event"], "payload": message["payload"]}
    if isinstance(message.get("id"), str):
        body["meta"] = {"id": message["id"]}
    size = len(orjson.dumps(message["payload"]))
    return Posted(message["topic"], message.get("private", False), Payload(body), size)


def _read_single(request: Request, body: bytes) -> list[Posted]:
    topic, event = _names(request)
    private = request.query_params.get("private") == "true"
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == _BINARY:
        names = {"topic": TOPIC_PREFIX + topic, "event": event}
        long = {name: [_TOO_LONG] for name, text in names.items() if len(text.encode()) > LONGEST_NAME}
        if long:
            raise _Refused(422, {"errors": long})
        return [Posted(topic, private, UserBroadcast(event, body, json=False), len(body))]
    payload = _json(body)
    message = Payload({"type": "broadcast", "event": event, "payload": payload})
    return [Posted(topic, private, message, len(body))]


def _names(request: Request) -> tuple[str, str]:
    """Topic and event of `/{topic}/events/{event}`: each may hold an escaped slash, so the path is read as it came."""
    path = request.scope.get("raw_path") or request.scope["path"].encode()
    names = [unquote(part) for part in path.partition(BASE.encode() + b"/")[2].decode("latin-1").split("/")]
    if len(names) != 3 or names[1] != "events" or not names[0] or not names[2]:
        raise _Refused(404, {"error": "not found"})
    return names[0], names[2]


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not is_writable(found):
        raise _Refused(422, {"errors": {"payload": ["is invalid"]}})
    return found


def _check(posted: list[Posted], quotas: Quotas) -> None:
    """Raises _Refused for too many messages, or one that is too large."""
    most = quotas.plan.messages_per_second
    if most is not None and quotas.messages.average > most:
        raise _Refused(429, {"message": "You have exceeded your rate limit"})
    if most is not None and quotas.messages.average + len(posted) > most:
        raise _Refused(429, {"message": "Too many messages to broadcast, please reduce the batch size"})
    too_large = {"payload": ["Payload size exceeds tenant limit"]}
    errors = [{} if quotas.takes_broadcast(one.size) else too_large for one in posted]
    if any(errors):
        raise _Refused(422, {"errors": {"messages": errors}})


async def _allowed(posted: list[Posted], claims: Claims, database: Database) -> list[Posted]:
    """The messages that their sender may send."""
    may_write = {
        topic: (await rights_in(database, claims, topic)).write_broadcast
        for topic in {one.topic for one in posted if one.private}
    }
    return [one for one in posted if not one.private or may_write[one.topic]]
