-- Sets a queue entry back, as if its user had last been heard of so many seconds earlier.
update public.waiting_queue set joined_at = joined_at - make_interval(secs => $2)
where user_id = $1 returning user_id;
