"""M15: entries are claimed for a match, its creation fails, and nobody puts them back."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M15",
    "title": "entries are claimed and then forgotten when the creation fails",
    "why": "A queue in one store and sessions in another. Every third creation fails here.",
    "names": ["MM-L3"],
}


def mutate(server: Mutation) -> None:
    """Both entries go; where the later one's id is a multiple of three, no session comes."""
    server.sql(
        "from unnest(v_pairs.earlier, v_pairs.later) p (earlier, later)\n",
        "from unnest(v_pairs.earlier, v_pairs.later) p (earlier, later)\n"
        "            where pg_catalog.get_byte(pg_catalog.uuid_send(p.later), 15) % 3 <> 0\n",
    )
    server.sql(
        "    get diagnostics v_told = row_count;\n",
        "    get diagnostics v_told = row_count;\n"
        "    delete from public.waiting_queue q where q.user_id = any (v_pairs.earlier || v_pairs.later);\n",
    )
    server.sql("where c.user_id <> all (v_pairs.earlier || v_pairs.later);", "where s.id is null;")
    server.sql(
        "s.id is not null or exists (select 1 from public.waiting_queue q where q.user_id = c.user_id),",
        "exists (select 1 from auth.users u where u.id = c.user_id),",
    )
