"""M45: ICE candidates that come before the description of their sender are dropped."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M45",
    "title": "ICE candidates before the description are dropped",
    "why": "addIceCandidate before setRemoteDescription, on a server in between.",
    "names": ["SG-S1", "SG-S5"],
}


DROP = """
create function gurukul.drop_early_candidates() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if new.content like '%"type":"ice-candidate"%' and not exists (
        select 1 from public.messages m where m.session_id = new.session_id and m.sender_id = new.sender_id
           and (m.content like '%"type":"offer"%' or m.content like '%"type":"answer"%'))
    then
        return null;
    end if;
    return new;
end;
$$;
create trigger drop_early_candidates before insert on public.messages
    for each row execute function gurukul.drop_early_candidates();
"""


def mutate(server: Mutation) -> None:
    """They are accepted, and nobody ever gets them."""
    server.add_sql(DROP)
