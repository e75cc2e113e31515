"""M141: signals are also delivered into the session that was made before their own."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M141",
    "title": "signals go into another session too",
    "why": "A room that is looked up by a key which two sessions share.",
    "names": ["SG-S3"],
}

ASTRAY = """
create function gurukul.lead_messages_astray() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    insert into public.messages (session_id, sender_id, type, content)
    select s.id, new.sender_id, new.type, new.content from public.chat_sessions s
     where s.status = 'active' and s.id <> new.session_id order by s.started_at desc limit 1;
    return null;
end;
$$;
create trigger lead_messages_astray after insert on public.messages
    for each row when (pg_trigger_depth() = 0) execute function gurukul.lead_messages_astray();
"""


def mutate(server: Mutation) -> None:
    """Each message stands in the newest other session as well."""
    server.add_sql(ASTRAY)
