"""M116: the answer says that a token ends sooner than it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth import routes
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M116",
    "title": "expires_at is not the end of the token",
    "why": "Two computations of one time.",
    "names": ["AUTH-22"],
}


def mutate(server: Mutation) -> None:
    """Ten minutes are told."""

    def otherwise(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def changed(*arguments: Any) -> dict[str, Any]:
            said = original(*arguments)
            return {**said, "expires_in": 600, "expires_at": said["expires_at"] - 3000}

        return changed

    server.wrap(routes, "session_body", otherwise)
