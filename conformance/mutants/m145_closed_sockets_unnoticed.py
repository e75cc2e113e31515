"""M145: nobody looks at who has no socket any more."""

from __future__ import annotations

from collections.abc import Callable

from reference_server.mutation import Mutation
from reference_server.sessions.tracker import SessionTracker

MUTANT = {
    "id": "M145",
    "title": "a closed tab is not noticed",
    "why": "The document's own state: the browser is to find out by its peer connection, and the user to click.",
    "names": ["DISC-1"],
}


def mutate(server: Mutation) -> None:
    """The closing of a socket is told to nobody."""

    def deaf(_original: Callable[..., None]) -> Callable[..., None]:
        return lambda *_arguments: None

    server.wrap(SessionTracker, "socket_closed", deaf)
