"""M79: a message may be as long as it likes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import uvicorn

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M79",
    "title": "the size of a message is not limited",
    "why": "No limit where the library has one by default.",
    "names": ["SEC-WS-13", "SEC-WS-14", "SEC-WS-15", "SEC-WS-16"],
}


def mutate(server: Mutation) -> None:
    """The limit is lifted."""

    def boundless(original: Callable[..., Any]) -> Callable[..., Any]:
        def config(app: Any, **options: Any) -> Any:
            return original(app, **{**options, "ws_max_size": 2**64})

        return config

    server.wrap(uvicorn, "Config", boundless)
