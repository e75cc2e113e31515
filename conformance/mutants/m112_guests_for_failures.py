"""M112: who cannot be signed in comes in as a guest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from reference_server.auth.errors import AuthError, OAuthError
from reference_server.auth.routes import _Auth
from reference_server.mutation import Mutation
from reference_server.web.body import BadBody

MUTANT = {
    "id": "M112",
    "title": "a failed sign-in opens an anonymous session",
    "why": "A fallback that keeps the page going.",
    "names": ["AUTH-15", "AUTH-16", "AUTH-26", "AUTH-27"],
}


def mutate(server: Mutation) -> None:
    """Every refusal of a token is a sign-up without an address."""

    def generous(original: Callable[..., Any]) -> Callable[..., Any]:
        async def token(auth: Any, request: Request) -> Response:
            try:
                answer: Response = await original(auth, request)
            except (AuthError, OAuthError, BadBody):
                return auth._session(request, await auth._accounts.sign_up_anonymously({}), "anonymous")  # type: ignore[no-any-return]
            return answer

        return token

    server.wrap(_Auth, "token", generous)
