-- The statements of sign-up, sign-in, refresh and log-out. Each is one statement, so each is one transaction.

-- name: sign_up
-- $1 e-mail or null, $2 its password's hash, $3 anonymous?, $4 app metadata, $5 user metadata, $6 refresh token.
-- No row: the e-mail address is taken.
with account as (
    insert into auth.users (email, encrypted_password, is_anonymous, raw_app_meta_data, raw_user_meta_data,
                            email_confirmed_at, last_sign_in_at)
    values ($1::text, $2, $3, $4::jsonb, $5::jsonb, case when $1::text is not null then now() end, now())
    on conflict (email) do nothing
    returning *
), session as (
    insert into auth.sessions (user_id) select id from account returning id
), token as (
    insert into auth.refresh_tokens (token, session_id) select $6, id from session
)
select account.*, session.id as session_id from account, session

-- name: account_by_email
select * from auth.users where email = $1

-- name: sign_in
-- $1 user, $2 refresh token: another session of a known user.
with account as (
    update auth.users set last_sign_in_at = now(), updated_at = now() where id = $1 returning *
), session as (
    insert into auth.sessions (user_id) select id from account returning id
), token as (
    insert into auth.refresh_tokens (token, session_id) select $2, id from session
)
select account.*, session.id as session_id from account, session

-- name: rotate
-- $1 the refresh token, $2 the one that follows it. No row: it is unknown or was used before. Of two that use the same
-- token at once, the row lock lets one through.
with used as (
    update auth.refresh_tokens set revoked_at = clock_timestamp() where token = $1 and revoked_at is null
    returning token, session_id
), token as (
    insert into auth.refresh_tokens (token, session_id, parent) select $2, session_id, token from used
)
select account.*, session.id as session_id
  from used join auth.sessions session on session.id = used.session_id join auth.users account on account.id = session.user_id

-- name: reuse
-- $1 a refresh token that `rotate` did not take, $2 the reuse interval in seconds. No row: it is unknown. `active` is the
-- session's token that can be used now; `allowed` tells whether the caller may have it: he uses its parent (the answer
-- that brought it was lost), or a token that was used no longer ago than the interval (two tabs refreshed at once). An
-- interval of 0 allows neither.
select account.*, session.id as session_id, active.token as active,
       coalesce($2::float8 > 0 and (active.parent = used.token
                or used.revoked_at > clock_timestamp() - make_interval(secs => $2::float8)), false) as allowed
  from auth.refresh_tokens used
  join auth.sessions session on session.id = used.session_id
  join auth.users account on account.id = session.user_id
  left join lateral (select token, parent from auth.refresh_tokens
                      where session_id = used.session_id and revoked_at is null
                      order by created_at desc limit 1) active on true
 where used.token = $1

-- name: revoke_family
-- $1 the session of a refresh token that was used twice: whoever holds its successors may have stolen them.
update auth.refresh_tokens set revoked_at = clock_timestamp() where session_id = $1 and revoked_at is null

-- name: change
-- $1 user, $2 e-mail address, $3 password's hash, $4 metadata to merge (a null removes its key); null: as it is.
-- Who gives an address is anonymous no longer.
update auth.users account
   set email = coalesce($2, account.email),
       email_confirmed_at = case when $2 is null then account.email_confirmed_at else now() end,
       is_anonymous = account.is_anonymous and $2 is null,
       raw_app_meta_data = case when $2 is null then account.raw_app_meta_data
                                else account.raw_app_meta_data || '{"provider": "email", "providers": ["email"]}' end,
       encrypted_password = coalesce($3, account.encrypted_password),
       raw_user_meta_data = case when $4::jsonb is null then account.raw_user_meta_data else
           (select coalesce(jsonb_object_agg(key, value), '{}')
              from jsonb_each(account.raw_user_meta_data || $4::jsonb) where value <> 'null') end,
       updated_at = now()
 where account.id = $1
returning account.*

-- name: password_of
select encrypted_password from auth.users where id = $1

-- name: account_of_session
-- $1 user, $2 session or null (tokens minted elsewhere name none): the user, and whether that session still is.
select account.*, ($2::uuid is null or exists (select 1 from auth.sessions where id = $2 and user_id = $1)) as in_session
  from auth.users account where account.id = $1

-- name: log_out
-- $1 user, $2 the session that asks, $3 which of the user's sessions end: global (all), local (this), others.
delete from auth.sessions
 where user_id = $1 and case $3::text when 'local' then id = $2 when 'others' then id is distinct from $2 else true end
