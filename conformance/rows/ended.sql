-- Whether a session is over, with the moment of its end.
select status <> 'active' and ended_at is not null from public.chat_sessions where id = $1;
