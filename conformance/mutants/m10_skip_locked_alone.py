"""M10: SKIP LOCKED stands in for the lock, and searches of one moment overlook each other."""

from __future__ import annotations

from conformance.mutants._stepwise import step_by_step
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M10",
    "title": "SKIP LOCKED without a lock",
    "why": "Measured on the document's function. Each search takes 10 ms here.",
    "names": ["MM-L2"],
    "racing": True,
}


def mutate(server: Mutation) -> None:
    """Each search locks its caller's entry, and passes over those that others have locked."""
    step_by_step(
        server,
        ("    perform gurukul.lock_matching();\n", ""),
        ("p_user for update;", "p_user for update skip locked;"),
        ("    select q.user_id into v_partner", "    perform pg_sleep(0.01);\n    select q.user_id into v_partner"),
        ("limit 1 for update;", "limit 1 for update skip locked;"),
    )
