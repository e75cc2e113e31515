"""M109: what a sign-up says of the user is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth import bodies, routes
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M109",
    "title": "user_metadata is lost",
    "why": "Left out of an answer to keep it small.",
    "names": ["AUTH-11"],
}


def mutate(server: Mutation) -> None:
    """Users have no metadata."""

    def otherwise(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def changed(*arguments: Any) -> dict[str, Any]:
            said = original(*arguments)
            return {**said, "user_metadata": {}}

        return changed

    for owner in (bodies, routes):
        server.wrap(owner, "user_body", otherwise)
