"""M100: the name in the credentials carries no time, so that they never end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.mutation import Mutation
from reference_server.turn.credentials import Relay

MUTANT = {
    "id": "M100",
    "title": "TURN credentials are good for ever",
    "why": "A long-term account behind a short-lived answer.",
    "names": ["TURN-3"],
}


def mutate(server: Mutation) -> None:
    """The name is the user's own."""

    def endless(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def credentials(relay: Any, user: str, now: float) -> dict[str, Any]:
            return {**original(relay, user, now), "username": user}

        return credentials

    server.wrap(Relay, "credentials", endless)
