-- The schema that both engines share: accounts, queue, sessions, signals, friendships, and who may see what.
-- Read it from top to bottom. What only one engine has stands in its own file (matchmaking/documented.sql, hardened.sql).
-- The document: sections 4 (queue), 13 (row-level security), 17 (limits). It must run on PostgreSQL 15 and newer.

-- Roles belong to the cluster, not to the database: another instance may be making them at this moment.
do $$ begin create role anon nologin noinherit; exception when duplicate_object or unique_violation then null; end $$;
do $$ begin create role authenticated nologin noinherit; exception when duplicate_object or unique_violation then null; end $$;
do $$ begin
    execute format('grant anon, authenticated to %I', current_user);
exception when unique_violation then null; -- the same grant, made by another instance just now
end $$;

-- Says that this database is ours, and which engine made it; a database without it must be empty.
create schema gurukul;
create table gurukul.installation (
    only_one    boolean primary key default true check (only_one),
    version     int not null,
    engine      text not null,
    installed_at timestamptz not null default now()
);

-- ---------------------------------------------------------------- accounts
create schema auth;

create table auth.users (
    id                  uuid primary key default gen_random_uuid(),
    email               text unique,
    encrypted_password  text,
    is_anonymous        boolean not null default false,
    raw_app_meta_data   jsonb not null default '{}',
    raw_user_meta_data  jsonb not null default '{}',
    email_confirmed_at  timestamptz,
    last_sign_in_at     timestamptz,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now()
);

create table auth.sessions (
    id          uuid primary key default gen_random_uuid(),
    user_id     uuid not null references auth.users on delete cascade,
    created_at  timestamptz not null default now()
);

create table auth.refresh_tokens (
    token       text primary key,
    session_id  uuid not null references auth.sessions on delete cascade,
    parent      text,                -- the token that was exchanged for this one
    revoked_at  timestamptz,         -- null: this one can be used
    created_at  timestamptz not null default now()
);
create index refresh_tokens_session_id on auth.refresh_tokens (session_id);

-- The caller, as PostgREST tells it: the claims of the token, set for one transaction.
create function auth.jwt() returns jsonb language sql stable as $$
    select nullif(current_setting('request.jwt.claims', true), '')::jsonb
$$;
create function auth.uid() returns uuid language sql stable as $$
    select nullif(auth.jwt() ->> 'sub', '')::uuid
$$;
grant usage on schema auth to anon, authenticated;
grant execute on function auth.jwt(), auth.uid() to anon, authenticated;

-- ---------------------------------------------------------------- the application
create table public.profiles (
    id            uuid primary key references auth.users on delete cascade,
    display_name  text,
    created_at    timestamptz not null default now()
);

create table public.waiting_queue (
    id           uuid primary key default gen_random_uuid(),
    user_id      uuid not null unique references auth.users on delete cascade,
    joined_at    timestamptz not null default now(),
    match_mode   text not null default 'buddies_first' check (match_mode in ('buddies_first', 'global')),
    preferences  jsonb
);
create index idx_waiting_queue_joined_at on public.waiting_queue (joined_at desc);

create table public.chat_sessions (
    id          uuid primary key default gen_random_uuid(),
    user1_id    uuid not null references auth.users on delete cascade,
    user2_id    uuid not null references auth.users on delete cascade,
    started_at  timestamptz not null default now(),
    ended_at    timestamptz,
    status      text not null default 'active' check (status in ('active', 'ended', 'reported')),
    ended_by    uuid
);
-- The poll asks by either member among the active; without these it reads the whole table at every beat.
create index chat_sessions_active_user1 on public.chat_sessions (user1_id) where status = 'active';
create index chat_sessions_active_user2 on public.chat_sessions (user2_id) where status = 'active';

create table public.messages (
    id          uuid primary key default gen_random_uuid(),
    session_id  uuid not null references public.chat_sessions on delete cascade,
    sender_id   uuid not null references auth.users on delete cascade,
    content     text,
    type        text not null default 'text',
    file_url    text,
    file_name   text,
    is_flagged  boolean not null default false,
    created_at  timestamptz not null default clock_timestamp()
);
create index messages_session_id on public.messages (session_id, created_at);

create table public.study_connections (
    id            uuid primary key default gen_random_uuid(),
    requester_id  uuid not null references auth.users on delete cascade,
    receiver_id   uuid not null references auth.users on delete cascade,
    status        text not null default 'pending' check (status in ('pending', 'accepted', 'rejected')),
    created_at    timestamptz not null default now(),
    check (requester_id <> receiver_id)
);
create unique index study_connections_pair
    on public.study_connections (least(requester_id, receiver_id), greatest(requester_id, receiver_id));

-- Who is asked answers for himself: a row that could be given another requester would be a friendship that nobody wants.
create function gurukul.keep_friendship() returns trigger language plpgsql set search_path = '' as $$
begin
    raise exception 'a connection keeps its two people' using errcode = 'check_violation';
end;
$$;
create trigger keep_friendship before update on public.study_connections
    for each row when ((new.requester_id, new.receiver_id) is distinct from (old.requester_id, old.receiver_id))
    execute function gurukul.keep_friendship();

-- ---------------------------------------------------------------- who may see and change what (document, section 13)
alter table public.profiles          enable row level security;
alter table public.waiting_queue     enable row level security;
alter table public.chat_sessions     enable row level security;
alter table public.messages          enable row level security;
alter table public.study_connections enable row level security;

grant usage on schema public to anon, authenticated;
grant select, insert, update, delete on
    public.profiles, public.waiting_queue, public.chat_sessions, public.messages, public.study_connections
    to anon, authenticated;

-- `(select auth.uid())` is computed once for a statement, not once for a row.
create policy profiles_read on public.profiles for select to authenticated using (true);
create policy profiles_own on public.profiles for all to authenticated
    using (id = (select auth.uid())) with check (id = (select auth.uid()));

create policy queue_own on public.waiting_queue for all to authenticated
    using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

create policy sessions_members_read on public.chat_sessions for select to authenticated
    using ((select auth.uid()) in (user1_id, user2_id));
create policy sessions_members_end on public.chat_sessions for update to authenticated
    using ((select auth.uid()) in (user1_id, user2_id)) with check ((select auth.uid()) in (user1_id, user2_id));

create policy messages_members_read on public.messages for select to authenticated
    using (exists (select 1 from public.chat_sessions s where s.id = session_id));
create policy messages_members_send on public.messages for insert to authenticated
    with check (sender_id = (select auth.uid()) and exists (select 1 from public.chat_sessions s where s.id = session_id));

create policy connections_read on public.study_connections for select to authenticated
    using ((select auth.uid()) in (requester_id, receiver_id));
create policy connections_ask on public.study_connections for insert to authenticated
    with check (requester_id = (select auth.uid()) and status = 'pending');
create policy connections_answer on public.study_connections for update to authenticated
    using (receiver_id = (select auth.uid())) with check (receiver_id = (select auth.uid()));
create policy connections_drop on public.study_connections for delete to authenticated
    using ((select auth.uid()) in (requester_id, receiver_id));

-- ---------------------------------------------------------------- what Realtime may tell
create publication supabase_realtime for table public.waiting_queue, public.chat_sessions, public.messages;
