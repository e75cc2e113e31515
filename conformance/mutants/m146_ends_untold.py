"""M146: the publication carries new rows alone, so that no socket hears of a session's end."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M146",
    "title": "an ended session is told to nobody",
    "why": "A publication that was made for INSERT, because that is what the match needed.",
    "names": ["DISC-3"],
}


def mutate(server: Mutation) -> None:
    """Updates and deletes are not published."""
    server.add_sql("alter publication supabase_realtime set (publish = 'insert');")
