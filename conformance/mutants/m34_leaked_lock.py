"""M34: the lock belongs to the connection, and a search that finds nobody goes back to the pool with it."""

from __future__ import annotations

from conformance.mutants._stepwise import step_by_step
from conformance.mutants._unheard import Unheard
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M34",
    "title": "a session-level lock leaks",
    "why": "pg_advisory_lock with a pool. Searches wait 0.3 s for it here, behind the reply.",
    "names": ["MM-L2"],
}


def mutate(server: Mutation) -> None:
    """The unlock stands at the end of the function, which returns earlier."""
    step_by_step(
        server,
        ("set lock_timeout = '5s'", "set lock_timeout = '0.3s'"),
        ("    perform gurukul.lock_matching();", "    perform pg_advisory_lock(34);"),
        ("returning id, v_partner;", "returning id, v_partner;\n    perform pg_advisory_unlock(34);"),
        engine=Unheard,
    )
