"""Tells the channel `matching` of a match, once for each of the two (PROTOCOL 4)."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from reference_server.matchmaking.engine import Announce


class Broadcaster(Protocol):
    """Where broadcasts go: everybody who has joined the channel hears them, at whatever instance."""

    def broadcast(self, topic: str, event: str, payload: dict[str, Any]) -> None:
        """Tells all who have joined `realtime:<topic>`. Never blocks."""


def match_found(realtime: Broadcaster) -> Announce:
    """Announces matches as the deployed application does."""

    def announce(session: UUID, one: UUID, other: UUID) -> None:
        told = str(session)
        for user in (one, other):
            realtime.broadcast("matching", "match_found", {"sessionId": told, "userId": str(user)})

    return announce
