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

-- What the log does not say of a table: the names of its types, its primary key, whether rows are guarded, and the query
-- that answers which of some keys the current role sees: parameters are a subscriber's number and the keys as text (each
-- a single value, or a JSON array where the key has several columns), the answer is (subscriber, position of the key).
-- `unnest` of a known array lets the planner count the keys, so that it looks them up one by one in a large table.
create function gurukul.realtime_table(p_table oid)
returns table (names text[], type_names text[], key_names text[], row_security boolean, visibility text)
language sql stable as $$
    with key as (
        select a.attname, format_type(a.atttypid, a.atttypmod) as type, k.n, count(*) over () as width
          from pg_index i
         cross join unnest(i.indkey::int2[]) with ordinality k (attnum, n)
          join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
         where i.indrelid = p_table and i.indisprimary
    )
    select array(select a.attname::text from pg_attribute a
                  where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped order by a.attnum),
           array(select t.typname::text from pg_attribute a join pg_type t on t.oid = a.atttypid
                  where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped order by a.attnum),
           array(select attname::text from key order by n),
           c.relrowsecurity,
           (select format('select $1, k.i::int from unnest($2) with ordinality k (v, i) '
                          'where exists (select from %I.%I t where %s)', s.nspname, c.relname,
                          string_agg(format(case when width = 1 then 't.%1$I = k.v::%3$s'
                                                 else 't.%1$I = (k.v::jsonb ->> %2$s)::%3$s' end,
                                            attname, n - 1, type), ' and '))
              from key)
      from pg_class c join pg_namespace s on s.oid = c.relnamespace
     where c.oid = p_table
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

-- Answers which subscriber sees which changed row, for a whole batch in one round trip: the rows' keys are looked up in the
-- table as it is NOW, with each subscriber's role and claims. The four arrays run side by side, one place for each
-- subscriber and table; `p_keys` are JSON arrays of texts.
--
-- The log tells of a commit a moment BEFORE that transaction becomes visible to others (its record is flushed, then it
-- leaves the list of running ones). Asked too early, the row would not be there yet and its member would never be told:
-- so the function waits until the transactions `p_xids` (32 bits, as the log has them) are over, a second at most.
create function gurukul.realtime_visible(
    p_xids bigint[], p_roles text[], p_claims text[], p_queries text[], p_keys text[])
returns table (subscriber int, place int)
language plpgsql as $$
declare
    own text := current_setting('role');
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

    for i in 1 .. cardinality(p_roles) loop
        begin
            perform set_config('role', p_roles[i], true), set_config('request.jwt.claims', p_claims[i], true);
            return query execute p_queries[i]
                using i, array(select jsonb_array_elements_text(p_keys[i]::jsonb));
        exception when others then  -- one subscriber's odd claims, or a privilege he lacks, must not cost the others theirs
            raise log 'realtime: role % sees nothing: %', p_roles[i], sqlerrm;
        end;
    end loop;
    perform set_config('role', own, true), set_config('request.jwt.claims', '', true);
end
$$;
