"""Reading a request's body: bounded, and as JSON."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

BODY_LIMIT = 1_048_576
"""Bytes; an SDP with all its candidates is under 10,000."""


class BadBody(Exception):
    """A body that cannot be taken: `status` 413 (too large), 400 (not JSON), or 408 (its sender has gone)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def read_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The body, of at most `limit` bytes.

    Raises:
        BadBody: 413 as soon as it is known to be longer, 408 where it ends early.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise BadBody(413, f"The body is larger than {limit} bytes")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise BadBody(413, f"The body is larger than {limit} bytes")
    except ClientDisconnect:
        raise BadBody(408, "The body did not arrive whole") from None
    return bytes(body)


async def read_json(request: Request, limit: int = BODY_LIMIT) -> Any:
    """The body as JSON; None where it is empty. Raises BadBody (as `read_body` does, or 400 where it is not JSON)."""
    body = await read_body(request, limit)
    if not body.strip():
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadBody(400, "Empty or invalid json") from None
