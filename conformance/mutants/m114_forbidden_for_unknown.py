"""M114: who shows no token is told that his token is bad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth.errors import AuthError
from reference_server.auth.routes import _Auth
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M114",
    "title": "a request without a token is 403",
    "why": "One answer for all that is not good.",
    "names": ["AUTH-20"],
}


def mutate(server: Mutation) -> None:
    """No token is a bad one."""

    def blunt(original: Callable[..., Any]) -> Callable[..., Any]:
        def speaker(*arguments: Any) -> Any:
            try:
                return original(*arguments)
            except AuthError as error:
                raise AuthError(403, "bad_jwt", error.message) from error

        return speaker

    server.wrap(_Auth, "_speaker", blunt)
