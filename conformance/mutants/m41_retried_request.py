"""M41: a join whose answer came late is sent again by a proxy, and is done twice."""

from __future__ import annotations

from conformance.mutants._stepwise import allow_several_entries, step_by_step
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M41",
    "title": "a retried request is done twice",
    "why": "Retries of what is not idempotent. Every join is retried here.",
    "names": ["MM-S7"],
}


INSERT = "    insert into public.waiting_queue (user_id, joined_at, seen_at, match_mode)"
WRONG = """    delete from public.waiting_queue where user_id = p_user;
    insert into public.waiting_queue (user_id, joined_at, seen_at, match_mode)
    select u.id, clock_timestamp(), clock_timestamp(), p_mode from auth.users u where u.id = p_user;
    insert into public.waiting_queue (user_id, joined_at, seen_at, match_mode)"""


def mutate(server: Mutation) -> None:
    """A join takes the user's entries away and makes one; the retry comes between, and makes one too."""
    step_by_step(
        server,
        *allow_several_entries(server),
        (INSERT, WRONG),
    )
