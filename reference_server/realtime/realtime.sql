-- What Realtime asks PostgreSQL: to read the log, to know a table, to check a binding, and who sees a changed row.
-- The wire: PROTOCOL 1.4 and 1.5. Every function is called by the owner, never by a client's role.

-- Opens the place in the log from which this connection reads. Temporary: it goes with the connection, so that a server
-- that dies leaves no slot behind that would keep the log for ever.
create function gurukul.realtime_open(p_slot text) returns void language sql as $$
    select pg_create_logical_replication_slot(p_slot, 'pgoutput', true)
$$;

-- Reads whole transactions until about `p_most` messages have come, and moves the slot behind them.
create function gurukul.realtime_read(p_slot text, p_most int) returns setof bytea language sql as $$
    select data from pg_logical_slot_get_binary_changes(
        p_slot, null, p_most, 'proto_version', '1', 'publication_names', 'supabase_realtime')
$$;

-- What the log does not say of a table: the names of its types, its primary key, whether rows are guarded.
create function gurukul.realtime_table(p_table oid)
returns table (names text[], type_names text[], key_names text[], row_security boolean)
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
           relrowsecurity
      from pg_class where oid = p_table
$$;

-- Checks bindings before they are made: is the table published, may the role read the filter's column, does the value
-- have its type. Items are {role, schema, table, column, values}; `table` may be null (all), `column` may be null (no
-- filter). Answers in the items' order; `canonical` are the values as their type's output function
-- writes them, which is how the log has them too (a cast to text differs: `true`, not `t`).
create function gurukul.realtime_check(p_items jsonb)
returns table (n int, published boolean, error text, type_name text, canonical text[])
language plpgsql as $$
declare
    item jsonb;
    found record;
    publication constant text[] := array(
        select format('%I.%I', schemaname, tablename) || ' ' || schemaname
          from pg_publication_tables where pubname = 'supabase_realtime');
    place text;
begin
    n := 0;
    for item in select jsonb_array_elements(p_items) loop
        n := n + 1;
        error := null; type_name := null; canonical := null;
        place := format('%I.%I', item ->> 'schema', coalesce(item ->> 'table', ''));
        published := exists (
            select from unnest(publication) known
             where case when item ->> 'table' is null then split_part(known, ' ', 2) = item ->> 'schema'
                        else split_part(known, ' ', 1) = place end);
        if published and item ->> 'column' is not null then
            begin
                select t.typname::text as name, format_type(a.atttypid, a.atttypmod) as type into found
                  from pg_attribute a join pg_type t on t.oid = a.atttypid
                 where a.attrelid = to_regclass(place) and a.attname = item ->> 'column'
                   and a.attnum > 0 and not a.attisdropped
                   and has_column_privilege(item ->> 'role', a.attrelid, a.attnum, 'select');
                if found.name is null then
                    raise exception 'invalid column for filter %', item ->> 'column';
                end if;
                execute format('select array(select format(''%%s'', v::%s) from jsonb_array_elements_text($1) v)', found.type)
                   into canonical using item -> 'values';
                type_name := found.name;
            exception when others then
                error := sqlerrm;
            end;
        end if;
        return next;
    end loop;
end
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
