"""M110: a refresh token brings a session of somebody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth.accounts import Accounts
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M110",
    "title": "a refresh opens a new user's session",
    "why": "A fallback to guests.",
    "names": ["AUTH-12"],
}


def mutate(server: Mutation) -> None:
    """Whoever refreshes is a guest."""

    def generous(_original: Callable[..., Any]) -> Callable[..., Any]:
        async def refresh(accounts: Any, _used: str) -> Any:
            return await accounts.sign_up_anonymously({})

        return refresh

    server.wrap(Accounts, "refresh", generous)
