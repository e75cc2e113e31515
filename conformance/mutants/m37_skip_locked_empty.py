"""M37: the oldest entry is chosen first and locked then: where it is locked already the answer is empty."""

from __future__ import annotations

from conformance.mutants._stepwise import step_by_step
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M37",
    "title": "SKIP LOCKED answers empty although a row is free",
    "why": "LIMIT 1 below the lock instead of above. Each search takes 10 ms here.",
    "names": ["MM-L2"],
    "racing": True,
}

OLDEST = """    where q.id = (select o.id from public.waiting_queue o where o.user_id <> p_user
                  order by o.joined_at limit 1)"""


def mutate(server: Mutation) -> None:
    """No lock but those of the entries; the limit stands in a subquery."""
    step_by_step(
        server,
        ("    perform gurukul.lock_matching();\n", ""),
        ("p_user for update;", "p_user for update skip locked;"),
        ("    where q.user_id <> p_user", OLDEST),
        ("limit 1 for update;", "limit 1 for update skip locked;"),
        ("    return query\n", "    perform pg_sleep(0.01);\n    return query\n"),
    )
