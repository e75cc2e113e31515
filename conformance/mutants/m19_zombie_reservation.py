"""M19: who leaves leaves a reservation behind, and the next joiner waits for him."""

from __future__ import annotations

from conformance.mutants._stepwise import step_by_step
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M19",
    "title": "a zombie reservation refuses the next joiner",
    "why": "Reservations that are cleared by the match alone.",
    "names": ["MM-L2"],
}


TABLES = """
create table gurukul.reservations (id serial primary key);
create table gurukul.held (user_id uuid primary key);
"""
HELD = """    delete from gurukul.reservations r where r.id = (select min(id) from gurukul.reservations);
    if found then
        insert into gurukul.held (user_id) values (p_user) on conflict do nothing;
    end if;
    if exists (select 1 from gurukul.held h where h.user_id = p_user) then
        return;
    end if;
    select q.user_id into v_partner"""


def mutate(server: Mutation) -> None:
    """Each leave holds one joiner back, for good."""
    server.sql(
        "    delete from gurukul.dropped_waiters where user_id = p_user;\n",
        "    delete from gurukul.dropped_waiters where user_id = p_user;\n"
        "    insert into gurukul.reservations default values;\n",
    )
    server.add_sql(TABLES)
    step_by_step(
        server,
        ("    select q.user_id into v_partner", HELD),
        (
            "    order by q.joined_at",
            "      and q.user_id not in (select h.user_id from gurukul.held h)\n    order by q.joined_at",
        ),
    )
