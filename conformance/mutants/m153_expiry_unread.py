"""M153: the relay does not read the time that a name carries."""

from __future__ import annotations

from conformance.mutants._lax_relay import Checks, relaying
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M153",
    "title": "the relay takes credentials that have expired",
    "why": "A relay that was set up with the shared secret and its own idea of the name.",
    "names": ["TURN-7"],
    "capabilities": {"turn": True},
}


def mutate(server: Mutation) -> None:
    """The password is right, and that is enough."""
    relaying(server, Checks(expiry=False))
