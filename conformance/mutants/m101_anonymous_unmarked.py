"""M101: nothing tells an anonymous user from another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth import bodies
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M101",
    "title": "anonymous users are not marked",
    "why": "A column that came later than the answer.",
    "names": ["AUTH-01"],
}


def mutate(server: Mutation) -> None:
    """Nobody is anonymous."""

    def otherwise(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def changed(*arguments: Any) -> dict[str, Any]:
            said = original(*arguments)
            return {**said, "is_anonymous": False}

        return changed

    server.wrap(bodies, "user_body", otherwise)
