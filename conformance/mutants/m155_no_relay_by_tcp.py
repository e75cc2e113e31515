"""M155: the credentials name the relay by TCP, and nobody listens there."""

from __future__ import annotations

from typing import Any

from conformance.mutants._lax_relay import relaying
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M155",
    "title": "the relay is out of reach by TCP",
    "why": "The firewall in front of the relay was opened for UDP alone.",
    "names": ["TURN-11"],
    "capabilities": {"turn": True},
}


def mutate(server: Mutation) -> None:
    """The relay answers by UDP alone."""

    def both(given: dict[str, Any]) -> dict[str, Any]:
        (by_udp,) = given["uris"]
        return {**given, "uris": [by_udp, by_udp.replace("transport=udp", "transport=tcp")]}

    relaying(server, change=both)
