"""M65: a token in the address is as good as one in the header."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request

from reference_server.auth import routes as auth_routes
from reference_server.matchmaking import routes as matching_routes
from reference_server.mutation import Mutation
from reference_server.web import caller

MUTANT = {
    "id": "M65",
    "title": "access_token is read from the query",
    "why": "RFC 6750 has it, and says why not.",
    "names": ["SEC-JWT-31"],
}


NAMES = ("access_token", "token", "jwt")


def mutate(server: Mutation) -> None:
    """Where the header is missing, the address is asked."""

    def asking(original: Callable[[Request], str | None]) -> Callable[[Request], str | None]:
        def bearer_token(request: Request) -> str | None:
            query = request.query_params
            return original(request) or next((query[name] for name in NAMES if query.get(name)), None)

        return bearer_token

    for owner in (auth_routes, matching_routes, caller):
        server.wrap(owner, "bearer_token", asking)
