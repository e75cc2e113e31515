"""M98: whoever asks is given the credentials, and all are given the same."""

from __future__ import annotations

from typing import Any

from reference_server.mutation import Mutation
from reference_server.turn import routes
from reference_server.turn.credentials import Relay

MUTANT = {
    "id": "M98",
    "title": "TURN credentials are the same for all, and for anybody",
    "why": "One account for the relay, in the page's source.",
    "names": ["TURN-2", "TURN-4"],
}


def mutate(server: Mutation) -> None:
    """Nobody is asked who he is, and the name is the same for a day."""

    def anybody(*_arguments: Any) -> str:
        return "everybody"

    server.wrap(routes, "_user", lambda _original: anybody)
    server.wrap(
        Relay, "credentials", lambda original: lambda relay, user, now: original(relay, user, now // 86_400 * 86_400)
    )
