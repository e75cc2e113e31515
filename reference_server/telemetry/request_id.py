"""The id of the request that is being served: the caller's own where he gave a good one, else one of ours."""

from __future__ import annotations

import itertools
import re
import secrets
from contextvars import ContextVar

NAME = b"x-request-id"
_WELL_FORMED = re.compile(rb"[\x21-\x7e]{1,128}")

current: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that this task serves; empty where it serves none."""


class RequestIds:
    """Makes ids that no other request of any instance has: eight random bytes for the process, and a number."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def choose(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The caller's id (at most 128 visible ASCII characters), else a new one; it is `current` from now on."""
        chosen = b""
        for name, value in headers:
            if name == NAME and _WELL_FORMED.fullmatch(value):
                chosen = value
        if not chosen:
            chosen = b"%s-%x" % (self._process.encode(), next(self._numbers))
        current.set(chosen.decode())
        return chosen


def response_headers() -> list[tuple[bytes, bytes]]:
    """The header that tells a client the id of his request; none where no request is served."""
    request_id = current.get()
    return [(NAME, request_id.encode())] if request_id else []
