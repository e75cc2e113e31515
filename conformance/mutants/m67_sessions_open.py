"""M67: everybody reads and writes all sessions."""

from __future__ import annotations

from conformance.mutants._stepwise import allow_two_sessions
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M67",
    "title": "sessions have no row-level security",
    "why": "A policy that was opened for a test, and stayed open.",
    "names": ["REST-RLS-05", "REST-RLS-06", "REST-RLS-07", "REST-RLS-08", "SEC-WS-24", "SEC-WS-25"],
}


OPEN = """
grant select, insert, update, delete on public.chat_sessions to anon, authenticated;
create policy open_to_all on public.chat_sessions for all to anon, authenticated using (true) with check (true);
"""


def mutate(server: Mutation) -> None:
    """Everybody may do everything."""
    allow_two_sessions(server)
    server.add_sql(OPEN)
