-- What Realtime asks PostgreSQL beside the log itself: to know a table, to check a binding, and who sees a changed row.
-- The wire: PROTOCOL 1.4 and 1.5. Every function is called by the owner, never by a client's role.

-- What the log does not say of a table: the names of its types, its primary key, whether rows are guarded, and which
-- columns each role may select.
create function gurukul.realtime_table(p_table oid)
returns table (names text[], type_names text[], key_names text[], row_security boolean, anon text[], authenticated text[])
language sql stable as $$
    select array(select a.attname::text from pg_attribute a
                  where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped order by a.attnum),
           array(select t.typname::text from pg_attribute a join pg_type t on t.oid = a.atttypid
                  where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped order by a.attnum),
           array(select a.attname::text
                   from pg_index i
                  cross join unnest(i.indkey::int2[]) with ordinality k (attnum, n)
                   join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                  where i.indrelid = p_table and i.indisprimary order by n),
           relrowsecurity,
           array(select a.attname::text from pg_attribute a where a.attrelid = p_table and a.attnum > 0
                    and not a.attisdropped and has_column_privilege('anon', p_table, a.attnum, 'select')),
           array(select a.attname::text from pg_attribute a where a.attrelid = p_table and a.attnum > 0
                    and not a.attisdropped and has_column_privilege('authenticated', p_table, a.attnum, 'select'))
      from pg_class where oid = p_table
$$;

-- Checks bindings before they are made: is the table published, may the role read the filter's column, does the value
-- have its type, does the operator take it. Items are {role, schema, table, column, values, op}; `schema` and `table` may
-- be null (all), `column` may be null (no filter), `op` may be `select` (a column that is wanted). Answers in the items'
-- order; `canonical` are the values as their type's output function writes them, which is how the log has them too (a
-- cast to text differs: `true`, not `t`).
create function gurukul.realtime_check(p_items jsonb)
returns table (n int, published boolean, error text, type_name text, canonical text[])
language plpgsql as $$
declare
    item jsonb;
    found record;
    op text;
    place text;
    schemas constant text[] := array(
        select schemaname from pg_publication_tables where pubname = 'supabase_realtime' order by schemaname, tablename);
    tables constant text[] := array(
        select tablename from pg_publication_tables where pubname = 'supabase_realtime' order by schemaname, tablename);
begin
    n := 0;
    for item in select jsonb_array_elements(p_items) loop
        n := n + 1;
        error := null; type_name := null; canonical := null;
        op := coalesce(item ->> 'op', 'eq');
        place := format('%I.%I', coalesce(item ->> 'schema', ''), coalesce(item ->> 'table', ''));
        published := exists (
            select from unnest(schemas, tables) known (s, t)
             where s = coalesce(item ->> 'schema', s) and t = coalesce(item ->> 'table', t));
        if published and item ->> 'column' is not null then
            begin
                select t.typname::text as name, format_type(a.atttypid, a.atttypmod) as type into found
                  from pg_attribute a join pg_type t on t.oid = a.atttypid
                 where a.attrelid = to_regclass(place) and a.attname = item ->> 'column'
                   and a.attnum > 0 and not a.attisdropped
                   and has_column_privilege(item ->> 'role', a.attrelid, a.attnum, 'select');
                if found.name is null then
                    raise exception 'invalid column for % %', case op when 'select' then op else 'filter' end, item ->> 'column';
                end if;
                type_name := found.name;
                canonical := array(select jsonb_array_elements_text(item -> 'values'));
                case
                    when op = 'select' then null;
                    when op in ('like', 'ilike') then execute format('select null::%s %s $1', found.type, op) using canonical[1];
                    when op in ('match', 'imatch') then
                        execute format('select null::%s ~ $1', found.type) using canonical[1];
                        perform '' ~ canonical[1];
                    when op = 'is' then
                        if canonical[1] not in ('null', 'not_null') then
                            execute format('select null::%s is true', found.type);
                        end if;
                    else
                        execute format('select array(select format(''%%s'', v::%s) from unnest($1) v)', found.type)
                           into canonical using canonical;
                end case;
            exception when others then
                error := sqlerrm;
            end;
        end if;
        return next;
    end loop;
end
$$;

-- Which of the values match their regular expressions? PostgreSQL's own, so only PostgreSQL can say.
create function gurukul.realtime_matches(p_values text[], p_patterns text[], p_ignore_case boolean[])
returns boolean[] language sql stable as $$
    select array_agg(case when c then v ~* p else v ~ p end order by n)
      from unnest(p_values, p_patterns, p_ignore_case) with ordinality u (v, p, c, n)
$$;

-- The log tells of a commit a moment BEFORE that transaction becomes visible to others (its record is flushed, then it
-- leaves the list of running ones). A question put too early would not find the row, and its member would never be told:
-- this waits until the transactions `p_xids` (32 bits, as the log has them) are over, a second at most.
create function gurukul.realtime_settle(p_xids bigint[]) returns void language plpgsql as $$
declare
    newest constant bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    deadline constant timestamptz := clock_timestamp() + interval '1 second';
    distance bigint;
    one bigint;
begin
    foreach one in array p_xids loop
        distance := (one - newest) & 4294967295;  -- modulo 2^32, then the nearer of the two directions
        if distance > 2147483647 then
            distance := distance - 4294967296;
        end if;
        while not pg_visible_in_snapshot((newest + distance)::text::xid8, pg_current_snapshot())
              and clock_timestamp() < deadline loop
            perform pg_sleep(0.0002);
        end loop;
    end loop;
end
$$;

-- Makes the function that answers which subscribers see which rows of a table, for a whole batch in one round trip, and
-- returns the query that calls it (null for a table without primary key, which nobody can be asked about). It looks the
-- keys up in the table as it is NOW, with the role and each subscriber's claims. Its parameters are the transactions to
-- wait for, the role, and side by side the subscribers' claims and the keys that each is asked for: a JSON array of
-- texts, each a single value or, where the key has several columns, a JSON array of them. It answers with pairs of
-- numbers from 1: the subscriber, and the place of a key that he sees.
--
-- One function for each table, temporary because it serves this connection alone, so that the query inside is planned
-- once and not for every subscriber: an eighth of the time. Its plan must not age with the table, so it may not scan it.
-- The keys are cast behind an `offset 0`, a fence: a cast inside the comparison might leak what it is given, so row-level
-- security would have to come first, on every row of the table, and the index on the key could not be used.
create function gurukul.realtime_prepare(p_table oid) returns text language plpgsql as $make$
declare
    casts text;
    matches text;
    place text;
begin
    select string_agg(format(case when width = 1 then 'v::%1$s as k%2$s'
                                  else '(v::jsonb ->> (%2$s - 1))::%1$s as k%2$s' end, type, n), ', '),
           string_agg(format('t.%I = k.k%s', attname, n), ' and ')
      into casts, matches
      from (select a.attname, format_type(a.atttypid, a.atttypmod) as type, k.n, count(*) over () as width
              from pg_index i
             cross join unnest(i.indkey::int2[]) with ordinality k (attnum, n)
              join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
             where i.indrelid = p_table and i.indisprimary) key;
    if casts is null then
        return null;
    end if;
    select format('%I.%I', nspname, relname) into place
      from pg_class c join pg_namespace s on s.oid = c.relnamespace where c.oid = p_table;
    execute format($create$
        create or replace function pg_temp.realtime_sees_%1$s(
            p_xids bigint[], p_role text, p_claims text[], p_keys text[])
        returns table (subscriber int, place int)
        language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $body$
        declare
            own constant text := current_setting('role');
            keys text[];
        begin
            perform gurukul.realtime_settle(p_xids);
            for n in 1 .. cardinality(p_claims) loop
                begin
                    keys := array(select jsonb_array_elements_text(p_keys[n]::jsonb));
                    perform set_config('role', p_role, true), set_config('request.jwt.claims', p_claims[n], true);
                    return query
                        select n, k.i::int
                          from (select i, %2$s from unnest(keys) with ordinality u (v, i) offset 0) k
                         where exists (select from %3$s t where %4$s);
                exception when others then
                    -- One subscriber's odd claims, or a privilege he lacks, must not cost the others their answer.
                    raise log 'realtime: role %% sees nothing: %%', p_role, sqlerrm;
                end;
            end loop;
            perform set_config('role', own, true), set_config('request.jwt.claims', '', true);
        end
        $body$
    $create$, p_table, casts, place, matches);
    return format('select * from pg_temp.realtime_sees_%s($1, $2, $3, $4)', p_table);
end
$make$;

-- Which of these rows stand in their table as they were inserted? `p_rows` are the rows as `to_jsonb` writes them; the
-- answer is the places of those that stand, numbered from 1. Asked with the owner's rights, for insertions that are told
-- to a subscription that came after them, once the transactions `p_xids` are over. A row's `xmin` would not say it: where
-- the insertion stood in a block with an exception handler, that is not the number of the transaction that the log names.
create function gurukul.realtime_standing(p_table oid, p_xids bigint[], p_rows text[])
returns setof int language plpgsql set enable_seqscan = off as $$
declare
    place text;
    matches text;
begin
    perform gurukul.realtime_settle(p_xids);
    select string_agg(format('t.%1$I = (u.r::jsonb ->> %1$L)::%2$s', a.attname, format_type(a.atttypid, a.atttypmod)), ' and ')
      into matches
      from pg_index i
     cross join unnest(i.indkey::int2[]) k (attnum)
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
     where i.indrelid = p_table and i.indisprimary;
    if matches is null then
        return;
    end if;
    select format('%I.%I', nspname, relname) into place
      from pg_class c join pg_namespace s on s.oid = c.relnamespace where c.oid = p_table;
    return query execute format(
        'select u.n::int from unnest($1) with ordinality u (r, n)
          where exists (select from %s t where %s and to_jsonb(t) = u.r::jsonb)', place, matches) using p_rows;
end
$$;

-- ---------------------------------------------------------------- private channels
-- As in Supabase, who may use a private channel is decided by policies on this table: a SELECT policy to read, an INSERT
-- policy to write, each for the extension `broadcast` or `presence`; `realtime.topic()` is the topic in question.
-- There is no policy here: without one, nobody may use a private channel.
create schema realtime;
create table realtime.messages (
    id           uuid not null default gen_random_uuid() primary key,
    topic        text not null,
    extension    text not null,
    payload      jsonb,
    event        text,
    private      boolean default false,
    updated_at   timestamp not null default now(),
    inserted_at  timestamp not null default now()
);
alter table realtime.messages enable row level security;
create function realtime.topic() returns text language sql stable as $$
    select nullif(current_setting('realtime.topic', true), '')
$$;
grant usage on schema realtime to anon, authenticated;
grant select, insert on realtime.messages to anon, authenticated;
grant execute on function realtime.topic() to anon, authenticated;

-- What a caller may do in a private channel: rows are written and looked at in his place, and taken back. A policy that
-- fails allows nothing.
create function gurukul.realtime_authorize(p_role text, p_claims text, p_topic text)
returns table (read_broadcast boolean, read_presence boolean, write_broadcast boolean, write_presence boolean)
language plpgsql as $$
declare
    asked constant uuid[] := array[gen_random_uuid(), gen_random_uuid()];
    kind text;
    allowed boolean;
begin
    read_broadcast := false; read_presence := false; write_broadcast := false; write_presence := false;
    begin
        insert into realtime.messages (id, topic, extension, private)
        values (asked[1], p_topic, 'broadcast', true), (asked[2], p_topic, 'presence', true);
        perform set_config('realtime.topic', p_topic, true), set_config('request.jwt.claims', p_claims, true),
                set_config('role', p_role, true);
        select coalesce(bool_or(m.extension = 'broadcast'), false), coalesce(bool_or(m.extension = 'presence'), false)
          into read_broadcast, read_presence from realtime.messages m where m.id = any(asked);
        foreach kind in array array['broadcast', 'presence'] loop
            begin
                insert into realtime.messages (topic, extension, private) values (p_topic, kind, true);
                allowed := true;
            exception when insufficient_privilege then
                allowed := false;
            end;
            if kind = 'broadcast' then write_broadcast := allowed; else write_presence := allowed; end if;
        end loop;
        raise exception using errcode = 'GK000', message = 'taken back';  -- with the rows goes the role
    exception
        when sqlstate 'GK000' then null;
        when others then raise log 'realtime: the policies of private channels fail: %', sqlerrm;
    end;
    return next;
end
$$;

-- ---------------------------------------------------------------- several instances
-- Tells the other instances: what is written here is in the log, in order with everything else.
create function gurukul.realtime_tell(p_content bytea) returns void language sql as $$
    select pg_logical_emit_message(true, 'gurukul', p_content)
$$;

-- The instances that follow this database's log now: a slot is named for its instance and ends with its connection.
create function gurukul.realtime_instances() returns setof text language sql as $$
    select split_part(slot_name, '_', 2) from pg_replication_slots
     where database = current_database() and slot_name ~ '^gurukul_[0-9a-f]{12}_[0-9]+$'
$$;
