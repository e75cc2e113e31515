"""M56: a token for another service is taken."""

from __future__ import annotations

from typing import Any

from reference_server.auth import tokens
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M56",
    "title": "the audience of a token is not looked at",
    "why": "One issuer for many services.",
    "names": ["SEC-JWT-17"],
}


def mutate(server: Mutation) -> None:
    """Whomever a token is for, it is for us."""

    def ignore(_audience: Any) -> None:
        return None

    server.wrap(tokens, "_check_audience", lambda _original: ignore)
