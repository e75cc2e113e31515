"""M85: a change is told to all who pass the filter, whoever may see the row."""

from __future__ import annotations

from typing import Any

from reference_server.mutation import Mutation
from reference_server.realtime import delivery

MUTANT = {
    "id": "M85",
    "title": "row-level security is not asked for changes",
    "why": "A feed that reads the log as its owner.",
    "names": ["SEC-WS-24", "SEC-WS-25"],
}


def mutate(server: Mutation) -> None:
    """Nobody is asked."""

    def unasked(*_arguments: Any) -> None:
        return None

    server.wrap(delivery, "_ask", lambda _original: unasked)
