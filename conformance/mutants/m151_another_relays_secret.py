"""M151: the passwords are made with a secret that the relay does not have."""

from __future__ import annotations

from typing import Any

from conformance.mutants._lax_relay import relaying
from reference_server.mutation import Mutation
from reference_server.turn.credentials import password_of

MUTANT = {
    "id": "M151",
    "title": "the relay does not take the credentials that are given",
    "why": "The secret was changed at one of the two that share it.",
    "names": ["TURN-5", "TURN-10"],
    "capabilities": {"turn": True},
}


def mutate(server: Mutation) -> None:
    """Name, ttl and addresses are right."""

    def stale(given: dict[str, Any]) -> dict[str, Any]:
        return {**given, "password": password_of(given["username"], "the secret of last year")}

    relaying(server, change=stale)
