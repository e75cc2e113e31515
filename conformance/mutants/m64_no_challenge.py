"""M64: a refusal does not say what would be accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M64",
    "title": "WWW-Authenticate is missing",
    "why": "A handler of one's own for 401.",
    "names": ["SEC-JWT-30"],
}


def mutate(server: Mutation) -> None:
    """No answer has the header."""

    def silent(original: Callable[..., None]) -> Callable[..., None]:
        def init_headers(response: Any, headers: Any = None) -> None:
            kept = {name: text for name, text in (headers or {}).items() if name.lower() != "www-authenticate"}
            original(response, kept)

        return init_headers

    server.wrap(Response, "init_headers", silent)
