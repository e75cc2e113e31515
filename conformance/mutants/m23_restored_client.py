"""M23: a client that comes back is put into the queue again, although its user asked for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from reference_server.mutation import Mutation
from reference_server.sessions.tracker import SessionTracker

MUTANT = {
    "id": "M23",
    "title": "a restored client re-queues a user who did not ask",
    "why": "Page reloads that restore the state of a search.",
    "names": ["MM-S4"],
}


def mutate(server: Mutation) -> None:
    """Whoever opens a socket joins."""
    joining: set[asyncio.Task[Any]] = set()

    def restoring(original: Callable[..., None]) -> Callable[..., None]:
        def socket_opened(tracker: Any, user: UUID, socket: int) -> None:
            original(tracker, user, socket)
            task = asyncio.create_task(tracker._engine.join(user, "global"))
            joining.add(task)
            task.add_done_callback(joining.discard)

        return socket_opened

    server.wrap(SessionTracker, "socket_opened", restoring)
