-- The hardened engine: what the documented one promises, kept by the schema and by one pass that pairs everybody.
--
-- How it holds together:
--   * A row in gurukul.session_members is a user's one active session. Triggers on chat_sessions keep it, whoever
--     writes: a second active session for a user is refused by its primary key, also to psql.
--   * All pairing happens in gurukul.match_waiting, behind one advisory lock that is waited for. It locks every queue
--     row before it looks at it, so a leave (which deletes the row) comes wholly before or wholly after a match.
--   * Each pass pairs all that can be paired, not its callers alone: at most one compatible user is left waiting.
--   * Locks are taken in one order: advisory lock, queue rows by user, sessions, members by user. Where somebody's psql
--     breaks that order, PostgreSQL ends the deadlock and the engine repeats its pass.

create table gurukul.matchmaking_settings (
    only_one         boolean primary key default true check (only_one),
    queue_ttl        interval not null default '2 minutes',
    session_max_age  interval not null default '2 hours'
);
insert into gurukul.matchmaking_settings default values;

-- ---------------------------------------------------------------- sessions: one for a user, and over is over
alter table public.chat_sessions
    add column offerer_id uuid,
    add constraint chat_sessions_two_people check (user1_id <> user2_id),
    add constraint chat_sessions_offerer check (offerer_id in (user1_id, user2_id));

create table gurukul.session_members (
    user_id     uuid primary key,
    session_id  uuid not null references public.chat_sessions on delete cascade
);
create index session_members_session_id on gurukul.session_members (session_id);

-- The members never change; what has ended stays ended, with its first time and its first ender; user1 offers. The role
-- of the writer tells a client (over REST) from the server and its administrator.
create function gurukul.guard_session() returns trigger language plpgsql set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        new.offerer_id := coalesce(new.offerer_id, new.user1_id);
        return new;
    end if;
    if (new.id, new.user1_id, new.user2_id, new.offerer_id) is distinct from
       (old.id, old.user1_id, old.user2_id, old.offerer_id) then
        raise exception 'a session keeps its members' using errcode = 'check_violation';
    end if;
    if current_user in ('anon', 'authenticated') then
        new.started_at := old.started_at;
        new.ended_by := case when new.status = 'active' then old.ended_by else auth.uid() end;
    end if;
    if old.status <> 'active' then
        if new.status = 'active' then
            raise exception 'an ended session stays ended' using errcode = 'check_violation';
        end if;
        new.ended_at := old.ended_at;
        new.ended_by := old.ended_by;
    elsif new.status <> 'active' then
        new.ended_at := coalesce(new.ended_at, clock_timestamp());
    end if;
    return new;
end;
$$;
create trigger guard_session before insert or update on public.chat_sessions
    for each row execute function gurukul.guard_session();

-- A session that begins takes both members out of the queue and books them; 23505 where one is booked already.
create function gurukul.book_members() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    delete from public.waiting_queue q using (
        select w.user_id from public.waiting_queue w
        where w.user_id in (select b.user1_id from born b where b.status = 'active'
                            union all select b.user2_id from born b where b.status = 'active')
        order by w.user_id for update
    ) gone where q.user_id = gone.user_id;

    insert into gurukul.session_members (user_id, session_id)
    select m.user_id, b.id
    from born b cross join lateral (values (b.user1_id), (b.user2_id)) m (user_id)
    where b.status = 'active'
    order by m.user_id;
    return null;
end;
$$;
create trigger book_members after insert on public.chat_sessions
    referencing new table as born for each statement execute function gurukul.book_members();

-- A session that ends frees both members at once (one that is deleted does so by the foreign key).
create function gurukul.free_members() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    delete from gurukul.session_members m using over o where m.session_id = o.id and o.status <> 'active';
    return null;
end;
$$;
create trigger free_members after update on public.chat_sessions
    referencing new table as over for each statement execute function gurukul.free_members();

-- Ends sessions in the name of one member each. The partner learns it twice: by the UPDATE, and, where his client
-- watches the messages alone (as the documented one does), by the signal that a client sends when it hangs up.
create function gurukul.end_sessions(p_sessions uuid[], p_by uuid[]) returns void language sql set search_path = '' as $$
    with over as (
        update public.chat_sessions s set status = 'ended', ended_at = clock_timestamp(), ended_by = e.by_user
        from unnest(p_sessions, p_by) e (session_id, by_user)
        where s.id = e.session_id and s.status = 'active'
        returning s.id, s.ended_by
    )
    insert into public.messages (session_id, sender_id, type, content)
    select id, ended_by, 'text', '{"type":"call-ended"}' from over;
$$;

-- ---------------------------------------------------------------- the queue: a place, and a life
-- joined_at is the place in the queue, seen_at the last sign of life. An entry whose joined_at is set back by hand ages
-- by as much. A client can move neither: his own row is his to make, to renew and to delete.
alter table public.waiting_queue add column seen_at timestamptz not null default now();

create function gurukul.guard_queue() returns trigger language plpgsql set search_path = '' as $$
begin
    if current_user in ('anon', 'authenticated') then
        new.joined_at := case when tg_op = 'INSERT' then now() else old.joined_at end;
        new.seen_at := now();
    elsif tg_op = 'INSERT' then
        new.seen_at := least(new.seen_at, new.joined_at);
    elsif new.joined_at < old.joined_at then
        new.seen_at := new.seen_at - (old.joined_at - new.joined_at);
    end if;
    return new;
end;
$$;
create trigger guard_queue before insert or update on public.waiting_queue
    for each row execute function gurukul.guard_queue();

-- The buddies among the waiting are looked up from the waiting, not from all friendships.
create index study_connections_accepted on public.study_connections (requester_id) where status = 'accepted';

-- ---------------------------------------------------------------- matching
-- The lock of all that pairs or takes apart: "gurukul" in ASCII, 56 bits, so that no other lock's hash meets it.
create function gurukul.lock_matching() returns void language sql set search_path = '' as $$
    select pg_advisory_xact_lock(x'677572756b756c'::bigint)
$$;

-- Books pairs as sessions. The later comer is user1 and offers, as the caller of find_match is in the document.
create function gurukul.make_sessions(p_earlier uuid[], p_later uuid[]) returns void language sql set search_path = '' as $$
    insert into public.chat_sessions (user1_id, user2_id, offerer_id, status, started_at)
    select p.later, p.earlier, p.later, 'active', clock_timestamp() from unnest(p_earlier, p_later) p (earlier, later)
$$;

-- Pairs buddies among p_users (oldest first), where one of the two asked for buddies; returns those who are left.
create function gurukul.pair_buddies(p_users uuid[]) returns uuid[] language plpgsql set search_path = '' as $$
declare
    v_earlier uuid[] := '{}';
    v_later   uuid[] := '{}';
    v_pair    record;
begin
    for v_pair in
        select p_users[least(r.place, v.place)] as earlier, p_users[greatest(r.place, v.place)] as later
        from unnest(p_users) with ordinality r (user_id, place)
        join public.study_connections c on c.requester_id = r.user_id and c.status = 'accepted'
        join unnest(p_users) with ordinality v (user_id, place) on v.user_id = c.receiver_id
        where exists (select 1 from public.waiting_queue q
                      where q.user_id in (r.user_id, v.user_id) and q.match_mode = 'buddies_first')
        order by least(r.place, v.place), greatest(r.place, v.place)
    loop
        if v_pair.earlier <> all (v_earlier || v_later) and v_pair.later <> all (v_earlier || v_later) then
            v_earlier := v_earlier || v_pair.earlier;
            v_later := v_later || v_pair.later;
        end if;
    end loop;
    if v_earlier = '{}' then
        return p_users;
    end if;
    perform gurukul.make_sessions(v_earlier, v_later);
    return array(select u.user_id from unnest(p_users) with ordinality u (user_id, place)
                 where u.user_id <> all (v_earlier || v_later) order by u.place);
end;
$$;

-- Pairs all who wait: buddies, then the oldest with the next oldest. Left out and removed: stale entries, and those of
-- users who came into a session on another way. Needs the lock.
create function gurukul.pair_waiting() returns void language plpgsql set search_path = '' as $$
declare
    v_oldest_life timestamptz := clock_timestamp() - (select queue_ttl from gurukul.matchmaking_settings);
    v_users       uuid[];
begin
    v_users := array(
        select w.user_id
        from (select q.user_id, q.joined_at, q.seen_at from public.waiting_queue q order by q.user_id for update) w
        where w.seen_at >= v_oldest_life
          and not exists (select 1 from gurukul.session_members m where m.user_id = w.user_id)
        order by w.joined_at, w.user_id);
    delete from public.waiting_queue q
    where q.user_id <> all (v_users)
      and (q.seen_at < v_oldest_life or exists (select 1 from gurukul.session_members m where m.user_id = q.user_id));

    if cardinality(v_users) >= 2 then
        v_users := gurukul.pair_buddies(v_users);
        perform gurukul.make_sessions(
            array(select user_id from unnest(v_users) with ordinality u (user_id, place)
                  where place % 2 = 1 and place < cardinality(v_users) order by place),
            array(select user_id from unnest(v_users) with ordinality u (user_id, place)
                  where place % 2 = 0 order by place));
    end if;
end;
$$;

-- One pass for a batch of joins: the callers' old sessions end, the callers stand in the queue (a second join keeps the
-- place and renews the life), signs of life come in, everybody is paired.
--   p_users, p_modes   who joins, each user once
--   p_keeps            a session that another join of this user has just brought, and that this one must not end
--   p_alive, p_ages    who gave a sign of life, and how many seconds ago
-- One row for each caller: `queued` is false for one that has no account, the rest is null for one that waits.
create function gurukul.match_waiting(
    p_users uuid[], p_modes text[], p_keeps uuid[], p_alive uuid[], p_ages float8[]
) returns table (user_id uuid, queued boolean, session_id uuid, partner_id uuid, offerer_id uuid)
language plpgsql set search_path = '' set lock_timeout = '5s' as $$
#variable_conflict use_column
declare
    v_now timestamptz;
begin
    perform gurukul.lock_matching();
    perform 1 from public.waiting_queue q order by q.user_id for update;
    v_now := clock_timestamp();

    perform gurukul.end_sessions(array_agg(m.session_id), array_agg(m.user_id))
    from unnest(p_users, p_keeps) c (user_id, keep)
    join gurukul.session_members m on m.user_id = c.user_id and m.session_id is distinct from c.keep;

    insert into public.waiting_queue (user_id, joined_at, seen_at, match_mode)
    select c.user_id, v_now + c.place * interval '1 microsecond', v_now + c.place * interval '1 microsecond', c.mode
    from unnest(p_users, p_modes) with ordinality c (user_id, mode, place)
    where exists (select 1 from auth.users u where u.id = c.user_id)
      and not exists (select 1 from gurukul.session_members m where m.user_id = c.user_id)
    order by c.user_id
    on conflict (user_id) do update set seen_at = excluded.seen_at, match_mode = excluded.match_mode;

    update public.waiting_queue q set seen_at = now() - make_interval(secs => a.age)
    from unnest(p_alive, p_ages) a (user_id, age)
    where q.user_id = a.user_id and q.seen_at < now() - make_interval(secs => a.age);

    perform gurukul.pair_waiting();

    return query
        select c.user_id, s.id is not null or exists (select 1 from public.waiting_queue q where q.user_id = c.user_id),
               s.id, case when s.user1_id = c.user_id then s.user2_id else s.user1_id end, s.offerer_id
        from unnest(p_users) c (user_id)
        left join gurukul.session_members m on m.user_id = c.user_id
        left join public.chat_sessions s on s.id = m.session_id;
end;
$$;

-- Takes a user out of the queue. A match that was made while this very call waited for the row is undone: he has left.
create function gurukul.leave(p_user uuid) returns void
language plpgsql set search_path = '' set lock_timeout = '5s' as $$
begin
    delete from public.waiting_queue where user_id = p_user;
    if not found then
        perform gurukul.end_sessions(array_agg(s.id), array_agg(p_user))
        from gurukul.session_members m join public.chat_sessions s on s.id = m.session_id
        where m.user_id = p_user and s.started_at > now();
    end if;
end;
$$;

-- Takes a user who is gone out of the queue, and ends his session; what he has begun since he was given up (p_age seconds
-- ago) stays.
create function gurukul.vanish(p_user uuid, p_age float8) returns void
language plpgsql set search_path = '' set lock_timeout = '5s' as $$
declare
    v_given_up timestamptz := now() - make_interval(secs => p_age);
begin
    perform gurukul.lock_matching();
    delete from public.waiting_queue where user_id = p_user and seen_at <= v_given_up;
    perform gurukul.end_sessions(array_agg(s.id), array_agg(m.user_id))
    from gurukul.session_members m join public.chat_sessions s on s.id = m.session_id
    where m.user_id = p_user and s.started_at <= v_given_up;
end;
$$;

-- Ends the sessions that are older than allowed.
create function gurukul.end_old_sessions() returns void
language plpgsql set search_path = '' set lock_timeout = '5s' as $$
begin
    perform gurukul.lock_matching();
    update public.chat_sessions set status = 'ended', ended_at = clock_timestamp()
    where status = 'active' and started_at < now() - (select session_max_age from gurukul.matchmaking_settings);
end;
$$;

-- ---------------------------------------------------------------- what clients may call (document, section 3; PROTOCOL 4)
-- A client speaks for himself alone. Without a client's role (psql) anybody may be named.
create function gurukul.check_is_caller(p_user uuid) returns void language plpgsql set search_path = '' as $$
begin
    if current_setting('role') in ('anon', 'authenticated') and auth.uid() is distinct from p_user then
        raise exception 'a user may only act for himself' using errcode = 'insufficient_privilege';
    end if;
end;
$$;

-- As documented, save that a caller who has been matched is told of that match and never matched again, that an entry
-- keeps its place, and that the lock is waited for ('System busy' never comes).
create function public.find_match(p_user_id uuid, p_match_mode text default 'buddies_first')
returns table (match_found boolean, session_id uuid, partner_id uuid, message text)
language plpgsql security definer set search_path = '' set lock_timeout = '5s' as $$
#variable_conflict use_column
declare
    v_match record;
begin
    perform gurukul.check_is_caller(p_user_id);
    perform gurukul.lock_matching();
    select * into v_match from gurukul.match_waiting(
        array[p_user_id], array[p_match_mode],
        array[(select m.session_id from gurukul.session_members m where m.user_id = p_user_id)], '{}', '{}');
    if not v_match.queued then
        raise exception 'there is no user %', p_user_id using errcode = 'foreign_key_violation';
    end if;
    return query select v_match.session_id is not null, v_match.session_id,
        case when v_match.session_id is not null then v_match.partner_id end,
        case when v_match.session_id is not null then 'Match found' else 'Queued' end;
end;
$$;

-- Ends the caller's session and says whether it did.
create function public.skip_partner(p_user_id uuid, p_session_id uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
    perform gurukul.check_is_caller(p_user_id);
    update public.chat_sessions set status = 'ended', ended_at = clock_timestamp(), ended_by = p_user_id
    where id = p_session_id and status = 'active' and p_user_id in (user1_id, user2_id);
    return found;
end;
$$;

-- The document's clean-up. The engine sweeps by itself; this one removes nothing that the sweep would keep.
create function public.cleanup_matchmaking() returns void
language plpgsql security definer set search_path = '' as $$
begin
    perform gurukul.end_old_sessions();
    perform gurukul.pair_waiting();
end;
$$;

revoke execute on function public.find_match(uuid, text), public.skip_partner(uuid, uuid),
    public.cleanup_matchmaking() from public;
grant execute on function public.find_match(uuid, text), public.skip_partner(uuid, uuid),
    public.cleanup_matchmaking() to authenticated;
