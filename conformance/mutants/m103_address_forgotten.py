"""M103: who signs up with an address has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth import bodies, routes
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M103",
    "title": "a session does not tell the user's address",
    "why": "Addresses that are hidden from everybody, their owners too.",
    "names": ["AUTH-03", "AUTH-19"],
}


def mutate(server: Mutation) -> None:
    """No user has an address."""

    def otherwise(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def changed(*arguments: Any) -> dict[str, Any]:
            said = original(*arguments)
            return {**said, "email": ""}

        return changed

    for owner in (bodies, routes):
        server.wrap(owner, "user_body", otherwise)
