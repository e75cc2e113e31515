"""Reading a request's body: bounded, and as JSON."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

BODY_LIMIT = 1_048_576
"""Bytes; an SDP with all its candidates is under 10,000."""


class BadBody(Exception):
    """A body that cannot be taken: `status` 413 (too large), 400 (not JSON), or 408 (its sender has gone)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def header(request: Request, name: bytes) -> str:
    """The first header of that name (in lower case), "" where there is none."""
    for key, value in request.scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""


async def read_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The body, of at most `limit` bytes.

    Raises:
        BadBody: 413 as soon as it is known to be longer, 408 where it ends early.
    """
    declared = header(request, b"content-length")
    if declared.isdigit() and int(declared) > limit:
        raise BadBody(413, f"The body is larger than {limit} bytes")
    body, more = await _part(request)
    if more:
        whole = bytearray(body)
        while more and len(whole) <= limit:
            body, more = await _part(request)
            whole += body
        body = bytes(whole)
    if len(body) > limit:
        raise BadBody(413, f"The body is larger than {limit} bytes")
    return body


async def _part(request: Request) -> tuple[bytes, bool]:
    """The next part of the body, and whether there is more (ASGI, "Request - receive event")."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise BadBody(408, "The body did not arrive whole")
    return message.get("body", b""), message.get("more_body", False)


async def read_json(request: Request, limit: int = BODY_LIMIT) -> Any:
    """The body as JSON; None where it is empty. Raises BadBody (as `read_body` does, or 400 where it is not JSON)."""
    body = await read_body(request, limit)
    if not body.strip():
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadBody(400, "Empty or invalid json") from None
