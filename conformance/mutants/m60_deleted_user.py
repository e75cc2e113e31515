"""M60: a token outlives its user."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from reference_server.auth.accounts import Account, Accounts
from reference_server.auth.errors import AuthError
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M60",
    "title": "nobody asks whether the user of a token exists",
    "why": "Stateless sessions.",
    "names": ["SEC-JWT-24"],
}


def mutate(server: Mutation) -> None:
    """Auth shows an account that there is not."""

    def believing(original: Callable[..., Any]) -> Callable[..., Any]:
        async def account(accounts: Any, user: UUID, session: UUID | None) -> Account:
            try:
                found: Account = await original(accounts, user, session)
            except AuthError:
                now = datetime.now(UTC)
                return Account(user, None, bool(user), {}, {}, None, now, now, now)
            return found

        return account

    server.wrap(Accounts, "account", believing)
