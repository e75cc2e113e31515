"""M13: the entry of somebody who was matched stays in the queue, and the next search finds it."""

from __future__ import annotations

from conformance.mutants._stepwise import allow_two_sessions
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M13",
    "title": "an assigned entry is still returned by the next query",
    "why": "Entries that are marked or removed by a later step.",
    "names": ["MM-S1"],
}


def mutate(server: Mutation) -> None:
    """A new session leaves its members' entries where they are, and who is in a session is not passed over."""
    allow_two_sessions(server)
    server.sql("delete from public.waiting_queue q where q.user_id = any (v_members);", "null;")
    server.sql(
        "(select m.session_id from gurukul.session_members m where m.user_id = q.user_id) is null as waits",
        "true as waits",
    )
