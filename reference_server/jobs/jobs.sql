-- When each job last ran, so that the instances on one database run it once between them.
create unlogged table gurukul.jobs (
    name    text primary key,
    ran_at  timestamptz not null
);

-- Whether this transaction shall run a job that is due every p_every seconds: not while another is at it, and not again
-- before the time. A transaction that fails has not run it; one whose instance dies neither.
create function gurukul.claim_job(p_name text, p_every float8) returns boolean language plpgsql as $$
begin
    if not pg_try_advisory_xact_lock(hashtextextended(p_name, x'67756a6f62'::bigint)) then
        return false;
    end if;
    insert into gurukul.jobs as j (name, ran_at) values (p_name, clock_timestamp())
    on conflict (name) do update set ran_at = excluded.ran_at
    where j.ran_at <= clock_timestamp() - make_interval(secs => p_every);
    return found;
end;
$$;
