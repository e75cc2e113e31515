"""M70: a client's frames need no mask."""

from __future__ import annotations

from conformance.mutants._frames import read_frames
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M70",
    "title": "unmasked frames are obeyed",
    "why": "The mask protects proxies, not the server: it works without.",
    "names": ["SEC-WS-2"],
}


def mutate(server: Mutation) -> None:
    """The bit is read, and not insisted on."""
    read_frames(server, unmasked=True)
