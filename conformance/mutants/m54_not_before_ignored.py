"""M54: a token is good before it begins."""

from __future__ import annotations

from typing import Any

from reference_server.auth import tokens
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M54",
    "title": "nbf and iat are not looked at",
    "why": "Libraries check the end by default, and the beginning on request.",
    "names": ["SEC-JWT-14", "SEC-JWT-15"],
}


def mutate(server: Mutation) -> None:
    """The beginning of a token is not checked."""

    def ignore(_raw: dict[str, Any], _latest: float) -> None:
        return None

    server.wrap(tokens, "_check_begun", lambda _original: ignore)
