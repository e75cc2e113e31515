"""M01: between his own entry and his own search a user is taken, and he searches all the same."""

from __future__ import annotations

from conformance.mutants._stepwise import StepwiseEngine, allow_two_sessions, step_by_step
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M01",
    "title": "the caller is not re-checked: someone already matched matches again",
    "why": "The document's find_match. The hop between the two steps is 10 ms, its mean in the document.",
    "names": ["MM-S1"],
    "racing": True,
}


class TwoHops(StepwiseEngine):
    """The second step is a call of its own."""

    hop = 0.01


def mutate(server: Mutation) -> None:
    """The search does not ask whether its caller still waits."""
    allow_two_sessions(server)
    step_by_step(
        server,
        ("    if not found then\n        return;\n    end if;\n    select q.user_id", "    select q.user_id"),
        engine=TwoHops,
    )
