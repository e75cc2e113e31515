"""M83: each join of a channel keeps everybody waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from reference_server.mutation import Mutation
from reference_server.realtime.connection import Connection

MUTANT = {
    "id": "M83",
    "title": "a join blocks the server",
    "why": "A call to the outside that is not awaited but waited for. 20 ms for each join here.",
    "names": ["SEC-WS-22"],
}


def mutate(server: Mutation) -> None:
    """Joins take their time."""

    def slow(original: Callable[..., Any]) -> Callable[..., Any]:
        def join(connection: Any, push: Any) -> Any:
            time.sleep(0.02)
            return original(connection, push)

        return join

    server.wrap(Connection, "_join", slow)
