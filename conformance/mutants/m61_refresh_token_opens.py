"""M61: a refresh token opens what an access token opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth import routes
from reference_server.auth.claims import Claims
from reference_server.auth.tokens import TokenVerifier
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M61",
    "title": "a refresh token is taken for an access token",
    "why": "Both are tokens of one signer, and nothing says which is which.",
    "names": ["SEC-JWT-26"],
}


def mutate(server: Mutation) -> None:
    """The verifier takes the one for the other."""
    access: dict[str, str] = {}

    def remembering(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def session_body(*arguments: Any) -> dict[str, Any]:
            body = original(*arguments)
            access[body["refresh_token"]] = body["access_token"]
            return body

        return session_body

    def confused(original: Callable[..., Claims]) -> Callable[..., Claims]:
        def verify(verifier: Any, token: str, *rest: Any) -> Claims:
            return original(verifier, access.get(token, token), *rest)

        return verify

    server.wrap(routes, "session_body", remembering)
    server.wrap(TokenVerifier, "verify", confused)
