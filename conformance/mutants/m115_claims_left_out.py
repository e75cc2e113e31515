"""M115: a token does not name its session, nor how the user came in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth import bodies
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M115",
    "title": "claims are left out of the token",
    "why": "Smaller tokens.",
    "names": ["AUTH-21"],
}


def mutate(server: Mutation) -> None:
    """Some claims are missing."""

    def otherwise(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def changed(*arguments: Any) -> dict[str, Any]:
            said = original(*arguments)
            return {name: value for name, value in said.items() if name not in {"session_id", "aal", "is_anonymous"}}

        return changed

    server.wrap(bodies, "_claims", otherwise)
