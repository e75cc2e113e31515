"""M86: a channel that is open stays open when its token runs out."""

from __future__ import annotations

from typing import Any

from reference_server.mutation import Mutation
from reference_server.realtime import Realtime

MUTANT = {
    "id": "M86",
    "title": "the end of a token is looked at when it is shown, and never again",
    "why": "Checked at the door.",
    "names": ["SEC-WS-26"],
}


def mutate(server: Mutation) -> None:
    """Nobody watches."""

    def unwatched(*_arguments: Any) -> None:
        return None

    server.wrap(Realtime, "_watch_expiry", lambda _original: unwatched)
