"""M66: everybody reads and writes everybody's queue entry."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M66",
    "title": "the queue has no row-level security",
    "why": "A policy that was opened for a test, and stayed open.",
    "names": ["REST-RLS-01", "REST-RLS-02", "REST-RLS-03", "REST-RLS-04"],
}


OPEN = """
grant select, insert, update, delete on public.waiting_queue to anon, authenticated;
create policy open_to_all on public.waiting_queue for all to anon, authenticated using (true) with check (true);
"""


def mutate(server: Mutation) -> None:
    """Everybody may do everything."""
    server.add_sql(OPEN)
