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
--   * Who holds the advisory lock does not wait long for a session that somebody writes: clients may, and decide how long
--     their statements take. Whose session that is joins with a later pass (match_unhindered).

create table gurukul.matchmaking_settings (
    only_one         boolean primary key default true check (only_one),
    queue_ttl        interval not null default '2 minutes',
    session_max_age  interval not null default '2 hours',
    join_limit       int not null default 0,
    join_window      float8 not null default 60
);
insert into gurukul.matchmaking_settings default values;

-- ---------------------------------------------------------------- sessions: one for a user, and over is over
alter table public.chat_sessions
    add column offerer_id uuid,
    add constraint chat_sessions_two_people check (user1_id <> user2_id),
    add constraint chat_sessions_offerer check (offerer_id in (user1_id, user2_id));

-- Its rows stay, and each leaves one dead tuple when its session ends: the round of autovacuum must come after so many of
-- them, not after a share of a table that grows for ever.
alter table public.chat_sessions set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

create table gurukul.session_members (
    user_id     uuid primary key,
    session_id  uuid not null
);

-- The members never change; what has ended stays ended, with its first time and its first ender; user1 offers. The role
-- of the writer tells a client (over REST) from the server and its administrator.
create function gurukul.guard_session() returns trigger language plpgsql set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        new.offerer_id := new.user1_id;
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
create trigger guard_session before update on public.chat_sessions
    for each row execute function gurukul.guard_session();
create trigger guard_new_session before insert on public.chat_sessions
    for each row when (new.offerer_id is null) execute function gurukul.guard_session();

-- Every member has an account. A foreign key asks this for each row and each column by itself, a fifth of what a join
-- costs; here one question asks it for all rows of a statement (book_members), and locks the accounts as a key does.
-- What a key does when an account goes is done by triggers.
alter table public.chat_sessions
    drop constraint chat_sessions_user1_id_fkey,
    drop constraint chat_sessions_user2_id_fkey;

create function gurukul.keep_account() returns trigger language plpgsql as $$
begin
    raise exception 'an account keeps its id' using errcode = 'foreign_key_violation';
end;
$$;
create trigger keep_account before update of id on auth.users
    for each row when (new.id <> old.id) execute function gurukul.keep_account();

-- With an account go its sessions. An older snapshot would not show those that have come since it was taken.
create function gurukul.forget_sessions() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'accounts are deleted at the isolation level read committed' using errcode = 'feature_not_supported';
    end if;
    delete from public.chat_sessions s
    where s.user1_id in (select g.id from gone g) or s.user2_id in (select g.id from gone g);
    return null;
end;
$$;
create trigger forget_sessions after delete on auth.users
    referencing old table as gone for each statement execute function gurukul.forget_sessions();
create function gurukul.forget_all_sessions() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    delete from public.chat_sessions;
    return null;
end;
$$;
create trigger forget_all_sessions after truncate on auth.users
    for each statement execute function gurukul.forget_all_sessions();

-- A session that begins takes both members out of the queue and books them; 23505 where one is booked already, 23503
-- where one has no account.
create function gurukul.book_members() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    v_all      uuid[] := array(
        select distinct m.user_id from born b cross join lateral (values (b.user1_id), (b.user2_id)) m (user_id));
    v_members  uuid[];
    v_accounts int;
begin
    perform 1 from auth.users u where u.id = any (v_all) order by u.id for key share;
    get diagnostics v_accounts = row_count;
    if v_accounts < cardinality(v_all) then
        raise exception 'a member of a session has no account' using errcode = 'foreign_key_violation';
    end if;
    if exists (select 1 from public.waiting_queue) then
        v_members := array(
            select m.user_id from born b cross join lateral (values (b.user1_id), (b.user2_id)) m (user_id)
            where b.status = 'active');
        perform 1 from public.waiting_queue q where q.user_id = any (v_members) order by q.user_id for update;
        delete from public.waiting_queue q where q.user_id = any (v_members);
    end if;
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

-- A session that ends frees both members at once, and so does one that is deleted (no foreign key does it: these rows are
-- written by triggers alone, and the checks of a key would be a sixth of what a join costs).
create function gurukul.free_members() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    delete from gurukul.session_members m using over o
    where m.user_id in (o.user1_id, o.user2_id) and m.session_id = o.id and (tg_op = 'DELETE' or o.status <> 'active');
    return null;
end;
$$;
create trigger free_members after update on public.chat_sessions
    referencing new table as over for each statement execute function gurukul.free_members();
create trigger free_members_of_deleted after delete on public.chat_sessions
    referencing old table as over for each statement execute function gurukul.free_members();
create function gurukul.free_all_members() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    delete from gurukul.session_members;
    return null;
end;
$$;
create trigger free_all_members after truncate on public.chat_sessions
    for each statement execute function gurukul.free_all_members();

-- Ends sessions in the name of one member each. The partner learns it twice: by the UPDATE, and, where his client
-- watches the messages alone (as the documented one does), by the signal that a client sends when it hangs up.
create function gurukul.end_sessions(p_sessions uuid[], p_by uuid[]) returns void language plpgsql as $$
begin
    with over as (
        update public.chat_sessions s set status = 'ended', ended_at = clock_timestamp(), ended_by = e.by_user
        from unnest(p_sessions, p_by) e (session_id, by_user)
        where s.id = e.session_id and s.status = 'active'
        returning s.id, s.ended_by
    )
    insert into public.messages (session_id, sender_id, type, content)
    select id, ended_by, 'text', '{"type":"call-ended"}' from over;
end;
$$;

-- The same for one who holds the advisory lock (his function has a lock_timeout of its own, of 5 s): 55P03 where somebody
-- else goes on writing one of the sessions.
create function gurukul.end_sessions_soon(p_sessions uuid[], p_by uuid[]) returns void language plpgsql as $$
begin
    perform pg_catalog.set_config('lock_timeout', '200ms', true);
    perform gurukul.end_sessions(p_sessions, p_by);
    perform pg_catalog.set_config('lock_timeout', '5s', true);
end;
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

-- The buddies among the waiting are looked up from the waiting, not from all friendships. From PostgreSQL 17 on one pass
-- over an index of both finds them; older ones would look for each of the waiting beside each other.
do $$ begin
    execute format('create index study_connections_accepted on public.study_connections (%s) where status = ''accepted''',
        case when current_setting('server_version_num')::int >= 170000 then 'requester_id, receiver_id'
             else 'requester_id' end);
end $$;

-- A waiter who shows no life is dropped, and may ask what became of him; forgotten when he joins or leaves.
create unlogged table gurukul.dropped_waiters (
    user_id     uuid primary key,
    dropped_at  timestamptz not null
);
-- With the whole old row in the log, `user_id=eq.<uid>` finds the DELETE: a client who watches his own entry hears of
-- its end (PROTOCOL 1.5, RLS semantics 3).
alter table public.waiting_queue replica identity full;

-- ---------------------------------------------------------------- matching
-- The lock of all that pairs or takes apart: "gurukul" in ASCII, 56 bits, so that no other lock's hash meets it.
create function gurukul.lock_matching() returns void language plpgsql as $$
begin
    perform pg_catalog.pg_advisory_xact_lock(x'677572756b756c'::bigint);
end;
$$;

-- Locks the queue, and writes down who gave a sign of life: joins (now), others p_ages seconds ago.
create function gurukul.renew_waiting(p_users uuid[], p_modes text[], p_alive uuid[], p_ages float8[]) returns void
language plpgsql as $$
begin
    perform 1 from public.waiting_queue q order by q.user_id for update;
    if not found then
        return;
    end if;
    update public.waiting_queue q set seen_at = clock_timestamp(), match_mode = c.mode
    from unnest(p_users, p_modes) c (user_id, mode)
    where q.user_id = c.user_id;
    if cardinality(p_alive) > 0 then
        update public.waiting_queue q set seen_at = now() - make_interval(secs => a.age)
        from unnest(p_alive, p_ages) a (user_id, age)
        where q.user_id = a.user_id and q.seen_at < now() - make_interval(secs => a.age);
    end if;
end;
$$;

-- Who waits, oldest first, with their modes. Left out and removed: stale entries, and those of users who came into a
-- session on another way (asked by a scalar: an `exists` may be planned as a hash of all sessions). Needs the lock.
create function gurukul.take_waiting(out users uuid[], out modes text[], out since timestamptz[])
language plpgsql as $$
declare
    v_oldest_life timestamptz := clock_timestamp() - (select queue_ttl from gurukul.matchmaking_settings);
    v_gone        uuid[];
begin
    select coalesce(array_agg(w.user_id order by w.joined_at, w.user_id) filter (where w.waits), '{}'),
           coalesce(array_agg(w.match_mode order by w.joined_at, w.user_id) filter (where w.waits), '{}'),
           coalesce(array_agg(w.joined_at order by w.joined_at, w.user_id) filter (where w.waits), '{}'),
           array_agg(w.user_id) filter (where not w.waits)
    into users, modes, since, v_gone
    from (select q.user_id, q.joined_at, q.match_mode, q.seen_at >= v_oldest_life
                 and (select m.session_id from gurukul.session_members m where m.user_id = q.user_id) is null as waits
          from public.waiting_queue q order by q.user_id for update of q) w;
    if v_gone is not null then
        with gone as (
            delete from public.waiting_queue q where q.user_id = any (v_gone) returning q.user_id, q.seen_at
        )
        insert into gurukul.dropped_waiters (user_id, dropped_at)
        select g.user_id, clock_timestamp() from gone g where g.seen_at < v_oldest_life
        on conflict (user_id) do update set dropped_at = excluded.dropped_at;
    end if;
end;
$$;

-- Pairs users (oldest first, p_modes[i] is the mode of p_users[i]): buddies, where one of the two asked for buddies,
-- then the oldest with the next oldest. One is left, or nobody.
create function gurukul.pair_up(
    p_users uuid[], p_modes text[], out earlier uuid[], out later uuid[], out over uuid
) language plpgsql as $$
declare
    v_rest uuid[] := p_users;
    v_pair record;
begin
    earlier := '{}';
    later := '{}';
    if 'buddies_first' = any (p_modes) and cardinality(p_users) > 1 then
        for v_pair in
            -- The offset keeps the two places from being worked out before it is known that both are here.
            select least(k.one, k.other) as earlier, greatest(k.one, k.other) as later
            from (select array_position(p_users, c.requester_id) as one, array_position(p_users, c.receiver_id) as other
                  from public.study_connections c
                  where c.requester_id = any (p_users) and c.receiver_id = any (p_users) and c.status = 'accepted'
                  offset 0) k
            where 'buddies_first' in (p_modes[k.one], p_modes[k.other])
            order by 1, 2
        loop
            if v_rest[v_pair.earlier] is not null and v_rest[v_pair.later] is not null then
                earlier := earlier || p_users[v_pair.earlier];
                later := later || p_users[v_pair.later];
                v_rest[v_pair.earlier] := null;
                v_rest[v_pair.later] := null;
            end if;
        end loop;
        v_rest := array_remove(v_rest, null);
    end if;
    for i in 1 .. cardinality(v_rest) / 2 loop
        earlier := earlier || v_rest[2 * i - 1];
        later := later || v_rest[2 * i];
    end loop;
    if cardinality(v_rest) % 2 = 1 then
        over := v_rest[cardinality(v_rest)];
    end if;
end;
$$;

-- One pass for a batch of joins: the callers' old sessions end, then all who wait and all callers are paired; who is
-- over stands in the queue (a second join keeps its place and renews its life).
--   p_users, p_modes   the callers, in order of arrival; each user once
--   p_keeps            a session that another join of this user has just brought, and that this one must not end
--   p_alive, p_ages    who gave a sign of life, and how many seconds ago
--   p_times            how many joins of each caller this is, counted against p_limit in p_window seconds (0: no limit)
-- One row for each caller. `retry_after` (else null) says that `admitted` joins of his are let through (at 0 nothing has
-- happened to him) and in how many seconds the next one would be; `queued` is false for one that has no account, the
-- rest is null for one that waits. `waited` and `partner_waited` say for how many seconds caller and partner have stood in
-- the queue (null: not before this pass), `lock_wait` for how many the pass waited for the lock. The plans must not
-- depend on how small the tables were when they were made: hence the planner's settings.
create function gurukul.match_waiting(
    p_users uuid[], p_modes text[], p_keeps uuid[], p_alive uuid[], p_ages float8[],
    p_times int[] default '{}', p_limit int default 0, p_window float8 default 60
) returns table (
    user_id uuid, admitted int, retry_after float8, queued boolean, session_id uuid, partner_id uuid, offerer_id uuid,
    waited float8, partner_waited float8, lock_wait float8
)
language plpgsql
set search_path = '' set lock_timeout = '5s'
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set enable_material = off
as $$
#variable_conflict use_column
declare
    v_refused  uuid[] := '{}';
    v_admitted int[] := '{}';
    v_seconds  float8[] := '{}';
    v_limited  record;
    v_users    uuid[];
    v_modes    text[];
    v_booked   boolean;
    v_queue    boolean;
    v_dropped  boolean;
    v_waiting  record;
    v_stood    uuid[] := '{}';
    v_since    timestamptz[] := '{}';
    v_pairs    record;
    v_told     int;
    v_asked    timestamptz := clock_timestamp();
    v_locked   timestamptz;
begin
    perform gurukul.lock_matching();
    v_locked := clock_timestamp();
    if p_limit > 0 then
        v_limited := gurukul.refuse_joins(p_users, p_times, p_limit, p_window);
        v_refused := v_limited.users;
        v_admitted := v_limited.admitted;
        v_seconds := v_limited.retry_after;
    end if;

    -- One look tells what most passes need not do: nobody waits, nobody was dropped, no caller has a session.
    select coalesce(array_agg(c.user_id), '{}'), coalesce(array_agg(c.mode), '{}'), coalesce(bool_or(c.booked), false),
           exists (select 1 from public.waiting_queue), exists (select 1 from gurukul.dropped_waiters)
    into v_users, v_modes, v_booked, v_queue, v_dropped
    from (select c.user_id, c.mode, m.user_id is not null as booked
          from unnest(p_users, p_modes) with ordinality c (user_id, mode, place)
          join auth.users u on u.id = c.user_id
          left join gurukul.session_members m on m.user_id = c.user_id
          order by c.place) c;
    if v_refused <> '{}' then
        select coalesce(array_agg(c.user_id order by c.place), '{}'), coalesce(array_agg(c.mode order by c.place), '{}')
        into v_users, v_modes
        from unnest(v_users, v_modes) with ordinality c (user_id, mode, place)
        where not exists (select 1 from unnest(v_refused, v_admitted) r (user_id, admitted)
                          where r.user_id = c.user_id and r.admitted = 0);
    end if;

    if v_queue then
        perform gurukul.renew_waiting(v_users, v_modes, p_alive, p_ages);
    end if;
    if v_dropped then
        delete from gurukul.dropped_waiters d where d.user_id = any (v_users);
    end if;
    if v_booked then
        perform gurukul.end_sessions_soon(array_agg(m.session_id), array_agg(m.user_id))
        from unnest(p_users, p_keeps) c (user_id, keep)
        join gurukul.session_members m on m.user_id = c.user_id and m.session_id is distinct from c.keep
        where c.user_id = any (v_users);
    end if;
    if v_queue or v_booked then
        v_waiting := gurukul.take_waiting();
        v_stood := v_waiting.users;
        v_since := v_waiting.since;
        select v_waiting.users || coalesce(array_agg(c.user_id order by c.place), '{}'),
               v_waiting.modes || coalesce(array_agg(c.mode order by c.place), '{}')
        into v_users, v_modes
        from unnest(v_users, v_modes) with ordinality c (user_id, mode, place)
        where c.user_id <> all (v_waiting.users)
          and not exists (select 1 from gurukul.session_members m where m.user_id = c.user_id);
    end if;

    v_pairs := gurukul.pair_up(v_users, v_modes);
    -- The later comer is user1 and offers, as the caller of find_match is in the document.
    return query
        with born as (
            insert into public.chat_sessions (user1_id, user2_id, offerer_id, status, started_at)
            select p.later, p.earlier, p.later, 'active', clock_timestamp()
            from unnest(v_pairs.earlier, v_pairs.later) p (earlier, later)
            returning id, user1_id, user2_id, offerer_id
        )
        select c.user_id, coalesce(r.admitted, 1), r.retry_after, true, s.id, c.partner_id, s.offerer_id,
               extract(epoch from v_locked - v_since[array_position(v_stood, c.user_id)])::float8,
               extract(epoch from v_locked - v_since[array_position(v_stood, c.partner_id)])::float8,
               extract(epoch from v_locked - v_asked)::float8
        from born s
        cross join lateral (values (s.user1_id, s.user2_id), (s.user2_id, s.user1_id)) c (user_id, partner_id)
        left join unnest(v_refused, v_admitted, v_seconds) r (user_id, admitted, retry_after) on r.user_id = c.user_id
        where c.user_id = any (p_users);
    get diagnostics v_told = row_count;
    if v_pairs.over is not null and v_pairs.over <> all (v_stood) then
        insert into public.waiting_queue (user_id, joined_at, seen_at, match_mode)
        values (v_pairs.over, clock_timestamp(), clock_timestamp(), v_modes[array_position(v_users, v_pairs.over)])
        on conflict (user_id) do update set seen_at = excluded.seen_at, match_mode = excluded.match_mode;
    end if;
    if v_told = cardinality(p_users) then
        return;
    end if;
    return query
        select c.user_id, coalesce(r.admitted, 1), r.retry_after,
               s.id is not null or exists (select 1 from public.waiting_queue q where q.user_id = c.user_id),
               s.id, p.partner, s.offerer_id,
               extract(epoch from v_locked - v_since[array_position(v_stood, c.user_id)])::float8, null::float8,
               extract(epoch from v_locked - v_asked)::float8
        from unnest(p_users) c (user_id)
        left join unnest(v_refused, v_admitted, v_seconds) r (user_id, admitted, retry_after) on r.user_id = c.user_id
        left join gurukul.session_members m on m.user_id = c.user_id
        left join public.chat_sessions s on s.id = m.session_id
        cross join lateral (select case when s.user1_id = c.user_id then s.user2_id else s.user1_id end) p (partner)
        where c.user_id <> all (v_pairs.earlier || v_pairs.later);
end;
$$;

-- The same for all callers but those whose session somebody is writing at this moment: `queued` is null for them, nothing
-- has happened to them or was counted, and they are to come again.
create function gurukul.match_unhindered(
    p_users uuid[], p_modes text[], p_keeps uuid[], p_alive uuid[], p_ages float8[], p_times int[], p_limit int,
    p_window float8
) returns table (
    user_id uuid, admitted int, retry_after float8, queued boolean, session_id uuid, partner_id uuid, offerer_id uuid,
    waited float8, partner_waited float8, lock_wait float8
)
language plpgsql set search_path = '' set lock_timeout = '5s' as $$
#variable_conflict use_column
declare
    v_busy uuid[];
begin
    perform gurukul.lock_matching();
    with mine as (
        select m.user_id, m.session_id from gurukul.session_members m where m.user_id = any (p_users)
    ), locked as materialized (
        select s.id from public.chat_sessions s where s.id in (select n.session_id from mine n)
        order by s.id for no key update skip locked
    )
    select coalesce(array_agg(n.user_id), '{}') into v_busy
    from mine n where n.session_id not in (select l.id from locked l);
    return query
        select m.*
        from (select coalesce(array_agg(c.user_id order by c.place), '{}') as users,
                     coalesce(array_agg(c.mode order by c.place), '{}') as modes,
                     coalesce(array_agg(c.keep order by c.place), '{}') as keeps,
                     coalesce(array_agg(c.times order by c.place), '{}') as times
              from unnest(p_users, p_modes, p_keeps, p_times) with ordinality c (user_id, mode, keep, times, place)
              where c.user_id <> all (v_busy)) a,
             gurukul.match_waiting(a.users, a.modes, a.keeps, p_alive, p_ages, a.times, p_limit, p_window) m
        union all
        select b.user_id, 0, null, null, null, null, null, null, null, 0 from unnest(v_busy) b (user_id);
end;
$$;

-- Takes a user out of the queue. A match that was made while this very call waited for the row is undone: he has left.
create function gurukul.leave(p_user uuid) returns void
language plpgsql set search_path = '' set lock_timeout = '5s' as $$
begin
    delete from gurukul.dropped_waiters where user_id = p_user;
    delete from public.waiting_queue where user_id = p_user;
    if not found then
        perform gurukul.end_sessions(array_agg(s.id), array_agg(p_user))
        from gurukul.session_members m join public.chat_sessions s on s.id = m.session_id
        where m.user_id = p_user and s.started_at > now();
    end if;
end;
$$;

-- Where a user stands: the session that he is in, his entry in the queue, or that his last entry was dropped; no row
-- for one who has neither.
create function gurukul.status(p_user uuid) returns table (
    state text, session_id uuid, partner_id uuid, offerer_id uuid
) language sql stable as $$
    select 'matched', s.id, case when s.user1_id = p_user then s.user2_id else s.user1_id end, s.offerer_id
    from gurukul.session_members m join public.chat_sessions s on s.id = m.session_id where m.user_id = p_user
    union all
    select 'waiting', null, null, null from public.waiting_queue q where q.user_id = p_user
    union all
    select 'expired', null, null, null from gurukul.dropped_waiters d where d.user_id = p_user
    limit 1
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
    perform gurukul.end_sessions_soon(array_agg(s.id), array_agg(m.user_id))
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
    where id in (select s.id from public.chat_sessions s
                 where s.status = 'active'
                   and s.started_at < now() - (select session_max_age from gurukul.matchmaking_settings)
                 order by s.id for no key update skip locked);
end;
$$;

-- Members of whom no instance has ever seen a socket: who shows no life for queue_ttl seconds, counted from when he is
-- first missed, has vanished. First missed he is in a session that is older than a quarter of that, by when whoever
-- connects has done so. Sessions that somebody writes at this moment wait for the next round.
create function gurukul.end_silent_sessions() returns void
language plpgsql set search_path = '' set lock_timeout = '5s' as $$
declare
    v_nobody  constant uuid := gurukul.no_instance();
    v_now     constant timestamptz := clock_timestamp();
    v_ttl     constant interval := (select queue_ttl from gurukul.matchmaking_settings);
begin
    delete from gurukul.live_sockets l
    where l.instance = v_nobody
      and (not exists (select 1 from gurukul.session_members m where m.user_id = l.user_id)
           or exists (select 1 from gurukul.live_sockets o where o.user_id = l.user_id and o.instance <> v_nobody));
    if exists (select 1 from gurukul.live_sockets l where l.instance = v_nobody and l.gone_at <= v_now) then
        perform gurukul.lock_matching();
        perform gurukul.end_sessions(array_agg(e.id), array_agg(e.user_id))
        from (
            with silent as materialized (
                select s.id, l.user_id
                from gurukul.live_sockets l
                join gurukul.session_members m on m.user_id = l.user_id
                join public.chat_sessions s on s.id = m.session_id
                where l.instance = v_nobody and l.gone_at <= v_now and s.started_at < v_now - v_ttl
                order by s.id for no key update of s skip locked
            )
            select distinct on (id) id, user_id from silent
        ) e;
    end if;
    insert into gurukul.live_sockets (user_id, instance, gone_at, patience)
    select m.user_id, v_nobody, v_now + v_ttl, extract(epoch from v_ttl)
    from gurukul.session_members m join public.chat_sessions s on s.id = m.session_id
    where s.started_at < v_now - v_ttl / 4
      and not exists (select 1 from gurukul.live_sockets l where l.user_id = m.user_id)
    limit 5000
    on conflict do nothing;
end;
$$;

-- What no join brings about: stale entries go, rows that clients wrote are paired, old sessions end; and who was dropped
-- an hour ago and has not come back will not ask.
create function gurukul.sweep() returns void language plpgsql as $$
begin
    perform gurukul.match_waiting('{}', '{}', '{}', '{}', '{}');
    perform gurukul.end_old_sessions();
    delete from gurukul.dropped_waiters where dropped_at < clock_timestamp() - interval '1 hour';
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

-- Whoever joins on another way than the application's route joins as often as there, and no oftener. What is raised is
-- PostgREST's own form of an error with a status and headers.
create function gurukul.refuse_caller(p_seconds float8) returns void language plpgsql as $$
begin
    raise sqlstate 'PGRST' using
        message = '{"code":"PT429","message":"Too many attempts. Please wait."}',
        detail = format('{"status":429,"headers":{"Retry-After":"%s"}}', greatest(1, ceil(p_seconds)));
end;
$$;

create function gurukul.count_entry() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    v_refused record;
begin
    select r.* into v_refused
    from gurukul.matchmaking_settings s, gurukul.refuse_joins(array[new.user_id], '{1}', s.join_limit, s.join_window) r
    where s.join_limit > 0;
    if v_refused.users <> '{}' then
        perform gurukul.refuse_caller(v_refused.retry_after[1]);
    end if;
    return null;
end;
$$;
create trigger count_entry after insert on public.waiting_queue
    for each row when (current_user in ('anon', 'authenticated')) execute function gurukul.count_entry();

-- As documented, save that a caller who has been matched is told of that match and never matched again, that an entry
-- keeps its place, that the lock is waited for ('System busy' never comes), and that a client may join so often only.
create function public.find_match(p_user_id uuid, p_match_mode text default 'buddies_first')
returns table (match_found boolean, session_id uuid, partner_id uuid, message text)
language plpgsql security definer set search_path = '' set lock_timeout = '5s' as $$
#variable_conflict use_column
declare
    v_client constant boolean := current_setting('role') in ('anon', 'authenticated');
    v_match  record;
begin
    perform gurukul.check_is_caller(p_user_id);
    perform gurukul.lock_matching();
    select m.* into v_match
    from gurukul.matchmaking_settings s,
         gurukul.match_waiting(
             array[p_user_id], array[p_match_mode],
             array[(select b.session_id from gurukul.session_members b where b.user_id = p_user_id)], '{}', '{}',
             '{1}', case when v_client then s.join_limit else 0 end, s.join_window) m;
    if v_match.admitted = 0 then
        perform gurukul.refuse_caller(v_match.retry_after);
    end if;
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
    perform gurukul.match_waiting('{}', '{}', '{}', '{}', '{}');
end;
$$;

revoke execute on function public.find_match(uuid, text), public.skip_partner(uuid, uuid),
    public.cleanup_matchmaking() from public;
grant execute on function public.find_match(uuid, text), public.skip_partner(uuid, uuid),
    public.cleanup_matchmaking() to authenticated;
