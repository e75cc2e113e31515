"""M63: what has not the form of a token breaks the request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth.claims import Claims
from reference_server.auth.tokens import TokenError, TokenVerifier
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M63",
    "title": "a malformed token is answered 500",
    "why": "A parser's exception that nobody expects.",
    "names": ["SEC-JWT-29"],
}


def mutate(server: Mutation) -> None:
    """A token that cannot be read is an error of the server's."""

    def fragile(original: Callable[..., Claims]) -> Callable[..., Claims]:
        def verify(*arguments: Any) -> Claims:
            try:
                return original(*arguments)
            except TokenError as error:
                if error.code == "malformed":
                    raise IndexError("list index out of range") from error
                raise

        return verify

    server.wrap(TokenVerifier, "verify", fragile)
