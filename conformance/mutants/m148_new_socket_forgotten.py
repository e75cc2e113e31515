"""M148: when an old socket is given up, its user is taken for gone, though he has opened another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from reference_server.mutation import Mutation
from reference_server.sessions.tracker import SessionTracker

MUTANT = {
    "id": "M148",
    "title": "the end of an old socket ends the session of one who has a new one",
    "why": "Presence as one flag for each user, which the late time-out of the old socket clears.",
    "names": ["DISC-4"],
}


def mutate(server: Mutation) -> None:
    """When one socket closes while there is another, its user has vanished, at once."""

    def forgetful(original: Callable[..., None]) -> Callable[..., None]:
        def socket_closed(tracker: Any, user: UUID, socket: int) -> None:
            others = tracker._sockets.get(user, set()) - {socket}
            if others:
                tracker._sockets[user] = {socket}
            original(tracker, user, socket)
            if others:
                tracker._elsewhere.gone(user)
                tracker._time_is_up(user)

        return socket_closed

    server.wrap(SessionTracker, "socket_closed", forgetful)
