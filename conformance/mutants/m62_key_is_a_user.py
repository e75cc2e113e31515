"""M62: the project's key is a user like any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from starlette.requests import Request

from reference_server.auth.routes import _Auth
from reference_server.matchmaking.routes import MatchingApi
from reference_server.mutation import Mutation
from reference_server.web.caller import bearer_token

MUTANT = {
    "id": "M62",
    "title": "a key of the project signs in",
    "why": "An anonymous account behind the public key.",
    "names": ["SEC-JWT-19", "SEC-JWT-27"],
}


NOBODY = UUID(int=0)
KEYS = ("anon", "service_role")
ACCOUNT = "insert into auth.users (id, is_anonymous) values ('00000000-0000-0000-0000-000000000000', true);"


def mutate(server: Mutation) -> None:
    """Who comes with the key alone is the account without a name."""

    def is_key(owner: Any, request: Request) -> bool:
        token = bearer_token(request)
        return token is not None and token.count(".") == 2 and owner._verifier._decode(token).get("role") in KEYS

    def speaking(original: Callable[..., Any]) -> Callable[..., Any]:
        def speaker(auth: Any, request: Request) -> tuple[UUID, UUID | None]:
            return (NOBODY, None) if is_key(auth, request) else original(auth, request)

        return speaker

    def calling(original: Callable[..., Any]) -> Callable[..., Any]:
        def caller(api: Any, request: Request) -> UUID | None:
            found: UUID | None = original(api, request)
            return NOBODY if found is None and is_key(api, request) else found

        return caller

    server.add_sql(ACCOUNT)
    server.wrap(_Auth, "_speaker", speaking)
    server.wrap(MatchingApi, "caller", calling)
