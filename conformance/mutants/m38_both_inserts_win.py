"""M38: two joins of one user look for his entry at the same moment, find none, and both insert one."""

from __future__ import annotations

from conformance.mutants._stepwise import allow_several_entries, step_by_step
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M38",
    "title": "two inserts both win, there being no row to lock",
    "why": "Look, then insert, without a unique key. 20 ms lie between the two here.",
    "names": ["MM-S7"],
    "racing": True,
}


INSERT = "    insert into public.waiting_queue (user_id, joined_at, seen_at, match_mode)"
WRONG = """    update public.waiting_queue set seen_at = clock_timestamp() where user_id = p_user;
    if found then
        return true;
    end if;
    perform pg_sleep(0.02);
    insert into public.waiting_queue (user_id, joined_at, seen_at, match_mode)"""


def mutate(server: Mutation) -> None:
    """No unique key; whoever finds no entry makes one."""
    step_by_step(
        server,
        *allow_several_entries(server),
        (INSERT, WRONG),
    )
