"""M04: who asked for buddies gets the oldest waiter."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M04",
    "title": "the mode is ignored",
    "why": "The printed find_match takes a mode and does not read it.",
    "names": ["MM-S11"],
}


def mutate(server: Mutation) -> None:
    """Buddies are never looked for."""
    server.sql("if 'buddies_first' = any (p_modes) and", "if false and")
