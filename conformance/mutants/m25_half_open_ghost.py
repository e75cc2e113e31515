"""M25: a connection whose other end is gone without a word is kept for ever."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M25",
    "title": "a ghost stays after a half-open connection",
    "why": "No pings, and TCP does not tell.",
    "names": ["MM-L5", "DISC-2"],
}


def mutate(server: Mutation) -> None:
    """Silent sockets are not pinged."""
    server.set(ping_interval=3600.0, ping_timeout=3600.0)
