"""M154: the relay relays to any address."""

from __future__ import annotations

from conformance.mutants._lax_relay import Checks, relaying
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M154",
    "title": "the relay relays into the provider's own network",
    "why": "A TURN server as it comes, without denied-peer-ip.",
    "names": ["TURN-8"],
    "capabilities": {"turn": True},
}


def mutate(server: Mutation) -> None:
    """Every permission is given."""
    relaying(server, Checks(peers=False))
