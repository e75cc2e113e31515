"""M82: a socket whose client says nothing stays open."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M82",
    "title": "idle sockets are kept",
    "why": "A timeout that was set for machines with a debugger.",
    "names": ["SEC-WS-21", "DISC-6"],
}


def mutate(server: Mutation) -> None:
    """They may be silent for a day."""
    server.set(socket_idle_timeout=86_400.0, channelless_timeout=86_400.0)
