"""M84: a payload of another type than expected ends the socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.mutation import Mutation
from reference_server.realtime import connection, joining

MUTANT = {
    "id": "M84",
    "title": "payloads of a wrong type break the socket",
    "why": "What a client sends is what the documentation says.",
    "names": ["SEC-WS-23"],
}


def mutate(server: Mutation) -> None:
    """What must be a map is taken for one."""

    def trusting(_original: Callable[..., Any]) -> Callable[..., Any]:
        def as_map(value: Any) -> dict[str, Any]:
            return {} if value is None else dict(value)

        return as_map

    for owner in (connection, joining):
        server.wrap(owner, "as_map", trusting)
