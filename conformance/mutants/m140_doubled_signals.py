"""M140: what is written into a session is stored twice."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M140",
    "title": "a signal is stored twice",
    "why": "A retry of an insert whose answer was lost, without a key that tells the two apart.",
    "names": ["SG-S2"],
}

DOUBLE = """
create function gurukul.double_messages() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    insert into public.messages (session_id, sender_id, type, content)
    values (new.session_id, new.sender_id, new.type, new.content);
    return null;
end;
$$;
create trigger double_messages after insert on public.messages
    for each row when (pg_trigger_depth() = 0) execute function gurukul.double_messages();
"""


def mutate(server: Mutation) -> None:
    """Each message has a twin under another id."""
    server.add_sql(DOUBLE)
