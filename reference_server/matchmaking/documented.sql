-- The documented engine: what the design document prints and draws, faults included.
--
-- Where its texts disagree, this was taken, and why:
--   * The flow chart (section 3, step 3) deletes stale entries and looks for buddies first; the printed function does
--     neither. Taken: the chart. Section 6 counts the deletion into the time that the lock is held, and section 15
--     expects it ("Actual: find_match() auto-deletes entries > 2 min").
--   * 'System busy, retry' (chart, section 6) or 'System busy' (print). Taken: the chart, two places against one.
--   * The print has no SECURITY DEFINER. Taken: with it. Section 13 lets users see their own queue row only, so without it
--     nobody would ever find a partner.
--   * "UPSERT user into waiting_queue" (chart) does not say which columns. Taken: the print, which forgets the mode (the
--     column's default comes in) and sets joined_at anew.
--   * The chart checks for stale entries behind the lock, the print has nothing before it. Taken: lock first.
-- Everything else stands as printed: the lock that is tried and not waited for, the caller who is never looked at
-- again, the caller as user1.

-- Figures of section 17 that a scaled deployment shortens; the engine writes its settings here when it starts.
create table gurukul.matchmaking_settings (
    only_one         boolean primary key default true check (only_one),
    queue_ttl        interval not null default '2 minutes',
    session_max_age  interval not null default '2 hours'
);
insert into gurukul.matchmaking_settings default values;

create function public.find_match(p_user_id uuid, p_match_mode text default 'buddies_first')
returns table (match_found boolean, session_id uuid, partner_id uuid, message text)
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_partner_id uuid;
    v_session_id uuid;
begin
    if not pg_try_advisory_xact_lock(hashtext('matchmaking_lock')) then
        return query select false, null::uuid, null::uuid, 'System busy, retry'::text;
        return;
    end if;

    delete from waiting_queue where joined_at < now() - (select queue_ttl from gurukul.matchmaking_settings);

    if p_match_mode = 'buddies_first' then
        select q.user_id into v_partner_id
        from waiting_queue q
        join study_connections c
          on c.status = 'accepted'
         and (c.requester_id, c.receiver_id) in ((p_user_id, q.user_id), (q.user_id, p_user_id))
        where q.user_id != p_user_id
        order by q.joined_at asc limit 1
        for update of q skip locked;
    end if;

    if v_partner_id is null then
        select user_id into v_partner_id
        from waiting_queue
        where user_id != p_user_id
        order by joined_at asc limit 1
        for update skip locked;
    end if;

    if v_partner_id is not null then
        delete from waiting_queue where user_id in (p_user_id, v_partner_id);

        insert into chat_sessions (user1_id, user2_id, status, started_at)
        values (p_user_id, v_partner_id, 'active', now())
        returning id into v_session_id;

        return query select true, v_session_id, v_partner_id, 'Match found'::text;
    else
        insert into waiting_queue (user_id, joined_at) values (p_user_id, now())
        on conflict (user_id) do update set joined_at = now();

        return query select false, null::uuid, null::uuid, 'Queued'::text;
    end if;
end;
$$;

-- The client's skip: ends the session where the user is a member and it is active, and says whether it did.
create function public.skip_partner(p_user_id uuid, p_session_id uuid) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update chat_sessions set status = 'ended', ended_at = now(), ended_by = p_user_id
    where id = p_session_id and status = 'active' and p_user_id in (user1_id, user2_id);
    return found;
end;
$$;

-- The batch clean-up that nothing schedules (section 8): entries of over 5 minutes, which is 2.5 times the TTL, and
-- sessions of over 2 hours.
create function public.cleanup_matchmaking() returns void
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from waiting_queue where joined_at < now() - (select 2.5 * queue_ttl from gurukul.matchmaking_settings);
    update chat_sessions set status = 'ended', ended_at = now()
    where status = 'active' and started_at < now() - (select session_max_age from gurukul.matchmaking_settings);
end;
$$;
