"""M50: any signed-in user can read any session."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M50",
    "title": "sessions are shown to strangers",
    "why": "A row-level policy that was opened for a test.",
    "names": ["MM-S3"],
}


def mutate(server: Mutation) -> None:
    """Reading a session takes no membership."""
    policy = "create policy sessions_members_read on public.chat_sessions for select to authenticated\n    using ("
    server.sql(policy + "(select auth.uid()) in (user1_id, user2_id));", policy + "true);")
