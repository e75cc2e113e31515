"""M80: a long frame keeps everybody waiting while it is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from reference_server.mutation import Mutation
from reference_server.realtime.connection import Connection

MUTANT = {
    "id": "M80",
    "title": "a long frame blocks the server",
    "why": "Work whose time grows with what a stranger sends, on the one thread there is. 8 s for 100 kB here.",
    "names": ["SEC-WS-18", "SEC-WS-19"],
}


def mutate(server: Mutation) -> None:
    """Reading takes its time."""

    def slow(original: Callable[..., Any]) -> Callable[..., Any]:
        def receive(connection: Any, text: str | bytes) -> Any:
            if len(text) > 100_000:
                time.sleep(8.0)
            return original(connection, text)

        return receive

    server.wrap(Connection, "receive", slow)
