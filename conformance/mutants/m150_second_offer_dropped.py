"""M150: the first offer of a session settles who offers; another is taken, and goes nowhere."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M150",
    "title": "the second of two offers is dropped",
    "why": "A server that means to prevent glare: whoever lost waits for an answer for ever, or both do.",
    "names": ["SG-S6"],
}

DROP = """
create function gurukul.drop_second_offers() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    perform 1 from public.chat_sessions s where s.id = new.session_id for update;
    if exists (select 1 from public.messages m where m.session_id = new.session_id and m.sender_id <> new.sender_id
                  and m.content like '%"type":"offer"%')
    then
        return null;
    end if;
    return new;
end;
$$;
create trigger drop_second_offers before insert on public.messages
    for each row when (new.content like '%"type":"offer"%') execute function gurukul.drop_second_offers();
"""


def mutate(server: Mutation) -> None:
    """It is accepted, and nobody ever gets it."""
    server.add_sql(DROP)
