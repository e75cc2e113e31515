"""M68: everybody reads and writes all messages."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M68",
    "title": "messages have no row-level security",
    "why": "A policy that was opened for a test, and stayed open.",
    "names": ["REST-RLS-09", "REST-RLS-10", "REST-RLS-11", "REST-RLS-12"],
}


OPEN = """
grant select, insert, update, delete on public.messages to anon, authenticated;
create policy open_to_all on public.messages for all to anon, authenticated using (true) with check (true);
"""


def mutate(server: Mutation) -> None:
    """Everybody may do everything."""
    server.add_sql(OPEN)
