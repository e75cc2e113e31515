"""M16: a partner is fetched with one statement and assigned with the next, and nothing holds him meanwhile."""

from __future__ import annotations

from conformance.mutants._stepwise import allow_two_sessions, step_by_step
from conformance.mutants._two_statements import TwoStatements
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M16",
    "title": "fetch and assign are not atomic",
    "why": "A matcher that selects and updates over a client library. 5 ms lie between the two.",
    "names": ["MM-S1"],
    "racing": True,
}


def mutate(server: Mutation) -> None:
    """The two statements, without a lock."""
    allow_two_sessions(server)
    step_by_step(server, engine=TwoStatements)
