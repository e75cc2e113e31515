"""M11: a second join of a waiting user finds his own entry."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M11",
    "title": "self match through two devices or a quick second join",
    "why": "Queues whose entries are devices or sockets.",
    "names": ["MM-S2"],
}


def mutate(server: Mutation) -> None:
    """A waiting caller is counted twice, and the schema does not mind."""
    server.sql(",\n    add constraint chat_sessions_two_people check (user1_id <> user2_id)", "")
    server.sql("where c.user_id <> all (v_waiting.users)\n", "where true\n")
    server.sql(
        "    order by m.user_id;\n    return null;",
        "    order by m.user_id\n    on conflict do nothing;\n    return null;",
    )
