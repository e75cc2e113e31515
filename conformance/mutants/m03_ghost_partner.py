"""M03: an entry counts for as long as it stands, however long its user has been gone."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M03",
    "title": "stale rows are not filtered: a ghost partner",
    "why": "Queues that are cleaned by a job, or by nobody.",
    "names": ["MM-S5"],
}


def mutate(server: Mutation) -> None:
    """The last sign of life is not looked at."""
    server.sql("q.seen_at >= v_oldest_life", "true")
