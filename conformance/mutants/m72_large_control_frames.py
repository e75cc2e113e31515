"""M72: control frames are frames like any other."""

from __future__ import annotations

from conformance.mutants._frames import read_frames
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M72",
    "title": "control frames may be long and in fragments",
    "why": "One reader for all frames.",
    "names": ["SEC-WS-5", "SEC-WS-6"],
}


def mutate(server: Mutation) -> None:
    """Neither length nor fragmentation is looked at."""
    read_frames(server, control=True)
