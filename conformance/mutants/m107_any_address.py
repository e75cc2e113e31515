"""M107: anything is an address."""

from __future__ import annotations

from reference_server.auth import routes
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M107",
    "title": "the address of a sign-up is not looked at",
    "why": "A confirmation mail would have shown it, where there is one.",
    "names": ["AUTH-08"],
}


def mutate(server: Mutation) -> None:
    """What is given is kept."""

    def trusting(text: str) -> str:
        return text.strip().lower()

    server.wrap(routes, "_email", lambda _original: trusting)
