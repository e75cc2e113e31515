"""M71: bits and opcodes without a meaning are passed over."""

from __future__ import annotations

from conformance.mutants._frames import read_frames
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M71",
    "title": "reserved bits and opcodes are ignored",
    "why": "Be liberal in what you accept.",
    "names": ["SEC-WS-3", "SEC-WS-4"],
}


def mutate(server: Mutation) -> None:
    """Nothing is reserved."""
    read_frames(server, reserved=True)
