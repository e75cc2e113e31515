-- What only PostgreSQL knows, asked when metrics are scraped: each of these is the same for all instances.

-- name: facts
-- One row. Both counts read an index or a small table; the log that slots hold back grows where a reader is too slow.
select (select count(*) from public.waiting_queue) as queue_length,
       (select count(*) from public.chat_sessions where status = 'active') as active_sessions,
       (select count(*) from pg_stat_activity where datname = current_database()) as connections,
       (select count(*) from pg_replication_slots where database = current_database() and active) as slots_active,
       (select count(*) from pg_replication_slots where database = current_database() and not active) as slots_idle,
       (select coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0)::float8
          from pg_replication_slots where database = current_database()) as retained_bytes

-- name: dead_tuples
-- The tables whose rows come and go: what vacuum has not yet taken away of them.
select relname as table, n_dead_tup as dead from pg_stat_user_tables
 where schemaname = 'public' and relname in ('waiting_queue', 'chat_sessions', 'messages') order by relname
