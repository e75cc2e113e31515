-- Users (of those given) who are in two active sessions at this moment: no clock is needed to tell.
with member as (
    select s.id, m.user_id
    from public.chat_sessions s cross join lateral (values (s.user1_id), (s.user2_id)) m (user_id)
    where s.status = 'active' and m.user_id = any ($1::uuid[])
)
select a.user_id, a.id, b.id from member a join member b on b.user_id = a.user_id and b.id > a.id order by 1, 2, 3;
