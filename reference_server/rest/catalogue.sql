-- What of the schema `public` is served, asked once at start: names in statements come from here and nowhere else.

-- name: columns
select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type,
       coalesce(a.attnum = any (k.conkey), false) as in_key, pg_get_expr(d.adbin, d.adrelid) as default
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  left join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
 where c.relnamespace = 'public'::regnamespace and c.relname = any ($1::text[])
 order by c.relname, a.attnum

-- name: functions
select p.proname as name, coalesce(p.proargnames, '{}') as names, p.pronargs as inputs, p.pronargdefaults as defaults,
       array(select format_type(t, null) from unnest(p.proargtypes::oid[]) with ordinality u(t, n) order by n) as types,
       array(select p.proargnames[n] from generate_subscripts(p.proargmodes, 1) n
              where p.proargmodes[n] in ('t', 'o') order by n) as columns,
       array(select format_type(p.proallargtypes[n], null) from generate_subscripts(p.proargmodes, 1) n
              where p.proargmodes[n] in ('t', 'o') order by n) as column_types,
       case when p.prorettype = 'void'::regtype then 'void'
            when p.proretset or p.prorettype = 'record'::regtype then 'rows' else 'scalar' end as result
  from pg_proc p
 where p.pronamespace = 'public'::regnamespace and p.proname = any ($1::text[])
