"""M18: a user is matched before his own entry is stored, and what is looked up by it does not find him yet."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M18",
    "title": "matched before one's own entry is stored",
    "why": "Write-behind. He who called sees his session 4 s late here.",
    "names": ["MM-L1"],
}


def mutate(server: Mutation) -> None:
    """The later comer sees his session only when it is 4 s old."""
    policy = "create policy sessions_members_read on public.chat_sessions for select to authenticated\n    using ("
    server.sql(
        policy + "(select auth.uid()) in (user1_id, user2_id));",
        policy + "(select auth.uid()) = user2_id\n"
        "           or (select auth.uid()) = user1_id and started_at < clock_timestamp() - interval '4 seconds');",
    )
