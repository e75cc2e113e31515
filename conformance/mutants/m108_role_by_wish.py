"""M108: the role that somebody names when he signs up is his."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth import bodies
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M108",
    "title": "a user chooses his role",
    "why": "Metadata of the user's taken for the application's.",
    "names": ["AUTH-10"],
}


def mutate(server: Mutation) -> None:
    """What a user says of himself stands in his token."""

    def otherwise(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def changed(*arguments: Any) -> dict[str, Any]:
            said = original(*arguments)
            return {**said, **said["user_metadata"]}

        return changed

    server.wrap(bodies, "_claims", otherwise)
