"""What became of the relay that a peer asked for while it gathered: aiortc and aioice keep it to themselves.

aioice asks for the relay in a task of its own, and drops what that task raises: a wrong password and a server out of
reach look the same, namely like a missing candidate. Its function is replaced once by one that notes how the request
ended, in a context variable of whoever is watching.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import aioice.turn
from aioice import stun

from harness.peer.stage import Stage


class RelayWatch:
    """One request for a relay."""

    def __init__(self) -> None:
        self.asked = False
        self.granted = False
        self.code: int | None = None
        """The error code with which the server refused (RFC 8489 section 14.8)."""
        self.reason = "it did not answer while we gathered"

    @property
    def failure(self) -> tuple[Stage, str] | None:
        """The stage, and a sentence; None where a relay was given, or none was asked for."""
        if self.granted or not self.asked:
            return None
        if self.code is not None:
            return Stage.TURN_AUTH, f"the TURN server refused the relay: {self.code} {self.reason}".rstrip()
        return Stage.TURN_UNREACHABLE, f"the TURN server gave no relay: {self.reason}"


_watch: ContextVar[RelayWatch | None] = ContextVar("relay_watch", default=None)
_create = aioice.turn.create_turn_endpoint


@contextmanager
def watched_relay() -> Iterator[RelayWatch]:
    """Requests for a relay made inside this block, and in tasks started there, are noted in what it gives."""
    aioice.turn.create_turn_endpoint = _noted
    watch = RelayWatch()
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


async def _noted(*arguments: Any, **options: Any) -> Any:
    watch = _watch.get() or RelayWatch()
    watch.asked = True
    try:
        endpoint = await _create(*arguments, **options)
    except stun.TransactionFailed as refusal:
        watch.code, watch.reason = refusal.response.attributes.get("ERROR-CODE", (0, "an error without a code"))
        raise
    except (OSError, stun.TransactionError, EOFError) as error:
        watch.reason = str(error) or type(error).__name__
        raise
    watch.granted = True
    return endpoint
