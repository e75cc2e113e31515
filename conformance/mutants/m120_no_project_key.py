"""M120: nobody asks for the project's key."""

from __future__ import annotations

from typing import Any

from reference_server.mutation import Mutation
from reference_server.web.caller import Gateway

MUTANT = {
    "id": "M120",
    "title": "Auth needs no key",
    "why": "The gateway is left out in a test set-up.",
    "names": ["AUTH-28"],
}


def mutate(server: Mutation) -> None:
    """Every request is let through."""

    def let_through(_gateway: Any, _request: Any) -> None:
        return None

    server.wrap(Gateway, "refusal", lambda _original: let_through)
