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
    update auth.refresh_tokens set revoked = true where token = $1 and not revoked returning session_id
), token as (
    insert into auth.refresh_tokens (token, session_id) select $2, session_id from used
)
select account.*, session.id as session_id
  from used join auth.sessions session on session.id = used.session_id join auth.users account on account.id = session.user_id

-- name: revoke_family
-- $1 a refresh token that was used twice: whoever holds its successors may have stolen them. Tells whether it exists.
with family as (select session_id from auth.refresh_tokens where token = $1),
     revoked as (update auth.refresh_tokens set revoked = true where session_id in (select session_id from family))
select exists (select 1 from family)

-- name: account_of_session
-- $1 user, $2 session or null (tokens minted elsewhere name none): the user, and whether that session still is.
select account.*, ($2::uuid is null or exists (select 1 from auth.sessions where id = $2 and user_id = $1)) as in_session
  from auth.users account where account.id = $1

-- name: log_out
-- $1 user, $2 the session that asks, $3 which of the user's sessions end: global (all), local (this), others.
delete from auth.sessions
 where user_id = $1 and case $3::text when 'local' then id = $2 when 'others' then id is distinct from $2 else true end
