"""M97: a join's body may be as long as it likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.matchmaking import routes
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M97",
    "title": "the size of a body is not limited",
    "why": "No limit where the framework has none.",
    "names": ["LIM-8"],
}


def mutate(server: Mutation) -> None:
    """Joins are read whole."""

    def boundless(original: Callable[..., Any]) -> Callable[..., Any]:
        async def read_json(request: Any, limit: int = 2**40) -> Any:
            return await original(request, limit)

        return read_json

    server.wrap(routes, "read_json", boundless)
