"""M69: everybody reads and writes all friendships."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M69",
    "title": "friendships have no row-level security",
    "why": "A policy that was opened for a test, and stayed open.",
    "names": ["REST-RLS-13", "REST-RLS-14", "REST-RLS-15", "REST-RLS-16"],
}


OPEN = """
grant select, insert, update, delete on public.study_connections to anon, authenticated;
create policy open_to_all on public.study_connections for all to anon, authenticated using (true) with check (true);
"""


def mutate(server: Mutation) -> None:
    """Everybody may do everything."""
    server.add_sql(OPEN)
