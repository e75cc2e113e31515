-- An engine that joins in two steps, as the documented one does, but correctly: `enter` makes or renews the entry, and
-- `pick` looks for a partner behind the lock, if its caller still waits. Mutants get one line of it wrong.

-- The caller's session ends, and he has an entry; whether he has an account.
create function gurukul.enter(p_user uuid, p_mode text) returns boolean language plpgsql as $$
begin
    perform gurukul.end_sessions(array_agg(m.session_id), array_agg(m.user_id))
    from gurukul.session_members m where m.user_id = p_user;
    insert into public.waiting_queue (user_id, joined_at, seen_at, match_mode)
    select u.id, clock_timestamp(), clock_timestamp(), p_mode from auth.users u where u.id = p_user
    on conflict (user_id) do update set seen_at = excluded.seen_at, match_mode = excluded.match_mode;
    return found;
end;
$$;

-- Takes the oldest who waits for a partner of the caller, if he himself still waits.
create function gurukul.pick(p_user uuid) returns table (session_id uuid, partner_id uuid)
language plpgsql set lock_timeout = '5s' as $$
#variable_conflict use_column
declare
    v_partner uuid;
begin
    perform gurukul.lock_matching();
    perform 1 from public.waiting_queue q where q.user_id = p_user for update;
    if not found then
        return;
    end if;
    select q.user_id into v_partner from public.waiting_queue q
    where q.user_id <> p_user
      and q.seen_at >= clock_timestamp() - (select queue_ttl from gurukul.matchmaking_settings)
    order by q.joined_at limit 1 for update;
    if v_partner is null then
        return;
    end if;
    return query
        insert into public.chat_sessions (user1_id, user2_id, offerer_id, status, started_at)
        values (p_user, v_partner, p_user, 'active', clock_timestamp())
        returning id, v_partner;
end;
$$;
