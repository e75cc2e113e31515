-- Rate limits that all instances on this database share. Unlogged: what a crash of PostgreSQL forgets costs nobody more
-- than one window.

-- The joins of each user that were let through, while they count: a sliding window, with PostgreSQL's clock for all.
create unlogged table gurukul.recent_joins (
    user_id   uuid primary key,
    moments   timestamptz[] not null,
    admitted  int not null
) with (fillfactor = 70);

-- Counts joins, p_times[i] of user p_users[i] (each user once), against p_limit in any p_window seconds, and returns
-- those users of whom not all joins are let through: how many are, and in how many seconds the next one would be.
create function gurukul.refuse_joins(
    p_users uuid[], p_times int[], p_limit int, p_window float8,
    out users uuid[], out admitted int[], out retry_after float8[]
) language plpgsql as $$
#variable_conflict use_column
declare
    v_now   timestamptz := clock_timestamp();
    v_since timestamptz := v_now - make_interval(secs => p_window);
    v_new   int;
begin
    users := '{}';
    insert into gurukul.recent_joins (user_id, moments, admitted)
    select a.user_id, array_fill(v_now, array[least(a.times, p_limit)]), least(a.times, p_limit)
    from unnest(p_users, p_times) a (user_id, times) order by a.user_id
    on conflict do nothing;
    get diagnostics v_new = row_count;
    if v_new = cardinality(p_users) and 1 = all (p_times) then
        return;  -- as most often: the first joins of all of them
    end if;
    perform 1 from gurukul.recent_joins r where r.user_id = any (p_users) order by r.user_id for update;
    update gurukul.recent_joins r set (moments, admitted) = (
        select w.recent || array_fill(v_now, array[w.free]), w.free
        from (select k.recent, least(a.times, p_limit - cardinality(k.recent)) as free
              from (select array(select m from unnest(r.moments) m where m > v_since) as recent) k) w)
    from unnest(p_users, p_times) a (user_id, times)
    where r.user_id = a.user_id and r.moments[1] is distinct from v_now;
    select coalesce(array_agg(r.user_id), '{}'), array_agg(r.admitted),
           array_agg(extract(epoch from r.moments[1] - v_since)::float8)
    into users, admitted, retry_after
    from unnest(p_users, p_times) a (user_id, times) join gurukul.recent_joins r on r.user_id = a.user_id
    where r.admitted < a.times;
end;
$$;

-- Forgets the users whose window has passed.
create function gurukul.forget_joins(p_window float8) returns void language sql as $$
    delete from gurukul.recent_joins
    where moments[cardinality(moments)] < clock_timestamp() - make_interval(secs => p_window)
$$;
