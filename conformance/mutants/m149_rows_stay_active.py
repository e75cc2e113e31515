"""M149: the partner of a vanished user is sent a `call-ended`, and the session stays as it is."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M149",
    "title": "a vanished user's session is not ended in the database",
    "why": 'The document says so of itself: "Session NOT automatically ended in DB".',
    "names": ["DISC-5"],
}


def mutate(server: Mutation) -> None:
    """A message is all that comes of it."""
    server.sql(
        "    perform gurukul.end_sessions_soon(array_agg(s.id), array_agg(m.user_id))\n"
        "    from gurukul.session_members m join public.chat_sessions s on s.id = m.session_id\n"
        "    where m.user_id = p_user and s.started_at <= v_given_up;",
        "    insert into public.messages (session_id, sender_id, type, content)\n"
        "    select s.id, p_user, 'text', '{\"type\":\"call-ended\"}'\n"
        "    from gurukul.session_members m join public.chat_sessions s on s.id = m.session_id\n"
        "    where m.user_id = p_user and s.started_at <= v_given_up;",
    )
