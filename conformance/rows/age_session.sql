-- Sets the beginning of a session back, as if its members had met so many seconds earlier.
update public.chat_sessions set started_at = started_at - make_interval(secs => $2)
where id = $1 and status = 'active' returning id;
