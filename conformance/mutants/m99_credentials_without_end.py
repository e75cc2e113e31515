"""M99: the name in the credentials carries no time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.mutation import Mutation
from reference_server.turn.credentials import Relay

MUTANT = {
    "id": "M99",
    "title": "TURN credentials do not say when they end",
    "why": "A long-term account behind a short-lived answer.",
    "names": ["TURN-1", "TURN-3"],
}


def mutate(server: Mutation) -> None:
    """A name, a password and the addresses: no time."""

    def endless(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def credentials(relay: Any, user: str, now: float) -> dict[str, Any]:
            given = original(relay, user, now)
            del given["ttl"]
            return {**given, "username": user}

        return credentials

    server.wrap(Relay, "credentials", endless)
