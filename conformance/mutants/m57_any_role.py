"""M57: whatever role a token names, or none, its bearer is a user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth import tokens
from reference_server.auth.claims import Claims
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M57",
    "title": "the role of a token is not looked at",
    "why": "A default for a missing claim.",
    "names": ["SEC-JWT-20", "SEC-JWT-21"],
}


def mutate(server: Mutation) -> None:
    """Who is not anonymous is signed in."""

    def generous(original: Callable[..., Claims]) -> Callable[..., Claims]:
        def read(raw: dict[str, Any], *rest: Any) -> Claims:
            return original(raw if raw.get("role") == "anon" else {**raw, "role": "authenticated"}, *rest)

        return read

    server.wrap(tokens, "_read_claims", generous)
