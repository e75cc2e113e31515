"""M99: the answer with the credentials does not say how long they are good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.mutation import Mutation
from reference_server.turn.credentials import Relay

MUTANT = {
    "id": "M99",
    "title": "TURN credentials come without ttl",
    "why": "A field of the answer that a client of one's own does not read.",
    "names": ["TURN-1"],
}


def mutate(server: Mutation) -> None:
    """A name, a password and the addresses: no time."""

    def silent(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def credentials(*arguments: Any) -> dict[str, Any]:
            given = original(*arguments)
            del given["ttl"]
            return given

        return credentials

    server.wrap(Relay, "credentials", silent)
