"""M113: signing out is answered, and nothing ends."""

from __future__ import annotations

from typing import Any

from reference_server.auth.accounts import Accounts
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M113",
    "title": "signing out ends nothing",
    "why": "The client throws its tokens away: that is enough until somebody else has them.",
    "names": ["AUTH-17", "AUTH-18"],
}


def mutate(server: Mutation) -> None:
    """The sessions stay."""

    async def stay(_accounts: Any, *_arguments: Any) -> None:
        return None

    server.wrap(Accounts, "log_out", lambda _original: stay)
