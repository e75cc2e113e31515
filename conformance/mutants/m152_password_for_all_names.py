"""M152: the password says nothing of the name, so that a later expiry is as good."""

from __future__ import annotations

from conformance.mutants._lax_relay import Checks, relaying
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M152",
    "title": "the relay takes any name with a password that it knows",
    "why": "One static account behind a relay, and names with a time in them for the look of it.",
    "names": ["TURN-6"],
    "capabilities": {"turn": True},
}


def mutate(server: Mutation) -> None:
    """Whoever has a password extends it for ever."""
    relaying(server, Checks(name=False))
