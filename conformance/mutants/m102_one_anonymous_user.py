"""M102: all who come without an address are the same user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth.accounts import Accounts, SignedIn
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M102",
    "title": "a sign-up brings the account of the one before",
    "why": "A cached answer to a POST.",
    "names": ["AUTH-02"],
}


def mutate(server: Mutation) -> None:
    """The first answer is everybody's."""
    kept: list[SignedIn] = []

    def cached(original: Callable[..., Any]) -> Callable[..., Any]:
        async def sign_up_anonymously(accounts: Any, metadata: dict[str, Any]) -> SignedIn:
            if not kept:
                kept.append(await original(accounts, metadata))
            return kept[0]

        return sign_up_anonymously

    server.wrap(Accounts, "sign_up_anonymously", cached)
