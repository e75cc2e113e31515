"""M104: whatever password is given, a session is opened: somebody's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth.accounts import Accounts
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M104",
    "title": "a sign-in opens a session of another user",
    "why": "A fallback to guests.",
    "names": ["AUTH-04", "AUTH-05", "AUTH-09"],
}


def mutate(server: Mutation) -> None:
    """Everybody is let in, as a guest."""

    def generous(_original: Callable[..., Any]) -> Callable[..., Any]:
        async def sign_in(accounts: Any, _email: str, _password: str) -> Any:
            return await accounts.sign_up_anonymously({})

        return sign_in

    server.wrap(Accounts, "sign_in", generous)
