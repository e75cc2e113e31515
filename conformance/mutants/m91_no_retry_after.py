"""M91: a refusal does not say when to come again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M91",
    "title": "429 comes without Retry-After",
    "why": "The status is set, and the header forgotten.",
    "names": ["LIM-2"],
}


def mutate(server: Mutation) -> None:
    """No answer has the header."""

    def silent(original: Callable[..., None]) -> Callable[..., None]:
        def init_headers(response: Any, headers: Any = None) -> None:
            kept = {name: text for name, text in (headers or {}).items() if name.lower() != "retry-after"}
            original(response, kept)

        return init_headers

    server.wrap(Response, "init_headers", silent)
