"""M147: the session ends in the moment in which a member's socket closes."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M147",
    "title": "a reload ends the session",
    "why": "A clean-up in the handler of the socket's end, with nobody who waits a moment.",
    "names": ["DISC-4"],
}


def mutate(server: Mutation) -> None:
    """Nobody has a moment to come back."""
    server.set(disconnect_grace=0.0)
