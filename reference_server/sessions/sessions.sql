-- Who has a socket at which instance, so that no instance takes a user for vanished who is connected to another, and the
-- users of an instance that died are looked after by one that lives. Unlogged: after a crash of PostgreSQL every
-- instance tells all it knows again.

create unlogged table gurukul.instances (
    id          uuid primary key,
    started_at  timestamptz not null,
    seen_at     timestamptz not null
);

-- One row for each user and instance that answers for him. gone_at is null while he has a socket there; after that it
-- says when he will have vanished unless he shows life. Who is in a session and has had no socket anywhere may have a
-- row of no instance, and with it a patience of his own: for so many seconds a sign of life puts off his vanishing.
create unlogged table gurukul.live_sockets (
    user_id   uuid not null,
    instance  uuid not null,
    gone_at   timestamptz,
    patience  float8,
    primary key (user_id, instance)
) with (fillfactor = 80);
create index live_sockets_instance on gurukul.live_sockets (instance);

create function gurukul.no_instance() returns uuid immutable language sql as $$
    select '00000000-0000-0000-0000-000000000000'::uuid
$$;

-- One message of an instance: it lives; p_open have a socket there; p_lost have none since a while and will have
-- vanished in p_left seconds; for p_gone it answers no more; p_seen have shown life over HTTP, which puts off their
-- vanishing for p_patience seconds (or a patience of their own), wherever their sockets were. False where nobody knew
-- the instance (any more): then it must tell all.
create function gurukul.note_sockets(
    p_instance uuid, p_open uuid[], p_lost uuid[], p_left float8[], p_gone uuid[], p_seen uuid[], p_patience float8
) returns boolean language plpgsql as $$
declare
    v_now   timestamptz := clock_timestamp();
    v_known boolean;
begin
    update gurukul.instances set seen_at = v_now where id = p_instance;
    v_known := found;
    if not v_known then
        insert into gurukul.instances (id, started_at, seen_at) values (p_instance, v_now, v_now);
    end if;
    if p_gone <> '{}' then
        delete from gurukul.live_sockets where instance = p_instance and user_id = any (p_gone);
    end if;
    if p_open <> '{}' or p_lost <> '{}' then
        insert into gurukul.live_sockets (user_id, instance, gone_at)
        select t.user_id, p_instance, v_now + make_interval(secs => t.seconds)
        from (select o.user_id, null::float8 as seconds from unnest(p_open) o (user_id)
              union all select l.user_id, l.seconds from unnest(p_lost, p_left) l (user_id, seconds)) t
        order by t.user_id
        on conflict (user_id, instance) do update set gone_at = excluded.gone_at;
    end if;
    if p_seen <> '{}' then
        update gurukul.live_sockets set gone_at = v_now + make_interval(secs => coalesce(patience, p_patience))
        where user_id = any (p_seen) and gone_at < v_now + make_interval(secs => coalesce(patience, p_patience));
    end if;
    return v_known;
end;
$$;

-- Hands the users of instances that have not been heard of for p_timeout seconds to this one; with them, and when an
-- instance is new, the members of sessions that are older than every instance and for whom nobody answers. Returns them
-- all: from now on they have p_patience seconds to show life. One instance does this at a time.
create function gurukul.adopt_users(p_instance uuid, p_new boolean, p_timeout float8, p_patience float8)
returns setof uuid
language plpgsql as $$
declare
    v_now     timestamptz := clock_timestamp();
    v_dead    uuid[];
    v_epoch   timestamptz;
    v_adopted uuid[];
begin
    if not pg_try_advisory_xact_lock(x'67757275736f636b'::bigint) then
        return;
    end if;
    v_dead := array(select id from gurukul.instances
                    where id <> p_instance and seen_at < v_now - make_interval(secs => p_timeout));
    if v_dead = '{}' and not p_new then
        return;
    end if;
    select min(started_at) into v_epoch from gurukul.instances where id <> all (v_dead);
    delete from gurukul.instances where id = any (v_dead);
    with orphans as (
        delete from gurukul.live_sockets where instance = any (v_dead) returning user_id
    )
    select array_agg(distinct o.user_id) into v_adopted
    from (select user_id from orphans
          union all
          select m.user_id
          from public.chat_sessions s cross join lateral (values (s.user1_id), (s.user2_id)) m (user_id)
          where s.status = 'active' and s.started_at < v_epoch
            and not exists (select 1 from gurukul.live_sockets l where l.user_id = m.user_id)) o;
    return query
        insert into gurukul.live_sockets (user_id, instance, gone_at)
        select a.user_id, p_instance, v_now + make_interval(secs => p_patience) from unnest(v_adopted) a (user_id)
        on conflict do nothing
        returning user_id;
end;
$$;

-- In how many seconds each of these users will have vanished: 0 where he has, infinity while he has a socket anywhere.
create function gurukul.absences(p_users uuid[]) returns table (user_id uuid, seconds float8) language sql stable as $$
    select u.user_id, max(case when l.instance is null then 0
                               when l.gone_at is null then 'infinity'
                               else greatest(0, extract(epoch from l.gone_at - clock_timestamp())) end)::float8
    from unnest(p_users) u (user_id)
    left join gurukul.live_sockets l on l.user_id = u.user_id and l.instance <> gurukul.no_instance()
    group by u.user_id
$$;

-- An instance that stops: whoever looks next takes its users over at once.
create function gurukul.end_instance(p_instance uuid) returns void language sql as $$
    update gurukul.instances set seen_at = '-infinity' where id = p_instance
$$;
