"""Accounts, their sessions and their refresh tokens, in the database."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import orjson

from reference_server.auth.errors import AuthError
from reference_server.auth.passwords import hash_password, password_matches
from reference_server.db import Database, DatabaseError, Record
from reference_server.db.queries import load_queries
from reference_server.nesting import is_writable

_SQL = load_queries("reference_server.auth", "accounts.sql")
Method = Literal["anonymous", "password"]
Scope = Literal["global", "local", "others"]


@dataclass(frozen=True, slots=True)
class Account:
    """A row of auth.users."""

    id: UUID
    email: str | None
    is_anonymous: bool
    app_metadata: dict[str, Any]
    user_metadata: dict[str, Any]
    email_confirmed_at: datetime | None
    last_sign_in_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """An account with a session of its own: `refresh_token` continues it once."""

    account: Account
    session_id: UUID
    refresh_token: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What a user changes of himself; None: nothing. A null in `metadata` removes its key."""

    email: str | None = None
    password: str | None = None
    metadata: dict[str, Any] | None = None


class Accounts:
    """What Auth does with accounts; every refusal is an AuthError."""

    def __init__(self, database: Database, reuse_interval: float = 10.0) -> None:
        self._database = database
        self._reuse_interval = reuse_interval

    async def sign_up_anonymously(self, metadata: dict[str, Any]) -> SignedIn:
        """A new user without e-mail address or password."""
        return await self._sign_up(None, None, metadata)

    async def sign_up(self, email: str, password: str, metadata: dict[str, Any]) -> SignedIn:
        """A new user with e-mail address and password, confirmed at once."""
        return await self._sign_up(email, await hash_password(password), metadata)

    async def _sign_up(self, email: str | None, hashed: str | None, metadata: dict[str, Any]) -> SignedIn:
        app = {"provider": "email", "providers": ["email"]} if email else {}
        token = new_refresh_token()
        row = await self._row("sign_up", email, hashed, email is None, _json(app), _json(metadata), token)
        if row is None:
            raise AuthError(422, "user_already_exists", "User already registered")
        return _signed_in(row, token)

    async def sign_in(self, email: str, password: str) -> SignedIn:
        """A new session for a known e-mail address and its password."""
        row = await self._row("account_by_email", email)
        if row is None or not await password_matches(password, row["encrypted_password"]):
            raise AuthError(400, "invalid_credentials", "Invalid login credentials")
        token = new_refresh_token()
        row = await self._row("sign_in", row["id"], token)
        if row is None:
            raise AuthError(400, "invalid_credentials", "Invalid login credentials")
        return _signed_in(row, token)

    async def refresh(self, used: str) -> SignedIn:
        """Continues a session. A refresh token works once; used again, it ends the whole session's tokens.

        Two reuses are honest, as GoTrue has it, and bring the session's active token: that of its parent, and one
        within the reuse interval. With an interval of 0 neither is.
        """
        token = new_refresh_token()
        row = await self._row("rotate", used, token)
        if row is not None:
            return _signed_in(row, token)
        row = await self._row("reuse", used, self._reuse_interval)
        if row is None:
            raise AuthError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
        if row["active"] is not None and row["allowed"]:
            return _signed_in(row, row["active"])
        await self._row("revoke_family", row["session_id"])
        raise AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")

    async def change(self, user: UUID, session: UUID | None, changes: Changes) -> Account:
        """Changes a user; a new password ends his other sessions."""
        account = await self.account(user, session)
        if changes.password is not None:
            await self._check_new_password(account, changes)
        hashed = None if changes.password is None else await hash_password(changes.password)
        metadata = None if changes.metadata is None else _json(changes.metadata)
        try:
            row = await self._row("change", user, changes.email, hashed, metadata)
        except DatabaseError as error:
            if error.sqlstate != "23505":
                raise
            message = "A user with this email address has already been registered"
            raise AuthError(422, "email_exists", message) from None
        if row is None:
            raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
        if hashed is not None:
            await self.log_out(user, session, "others")
        return _account(row)

    async def _check_new_password(self, account: Account, changes: Changes) -> None:
        if account.email is None and changes.email is None:
            message = "Updating password of an anonymous user without an email or phone is not allowed"
            raise AuthError(422, "validation_failed", message)
        row = await self._row("password_of", account.id)
        if row is not None and await password_matches(changes.password or "", row["encrypted_password"]):
            raise AuthError(422, "same_password", "New password should be different from the old password.")

    async def account(self, user: UUID, session: UUID | None) -> Account:
        """The account that a token speaks for, as long as the session that the token names has not ended."""
        row = await self._row("account_of_session", user, session)
        if row is None:
            raise AuthError(403, "user_not_found", "User from sub claim in JWT does not exist")
        if not row["in_session"]:
            raise AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist")
        return _account(row)

    async def log_out(self, user: UUID, session: UUID | None, scope: Scope) -> None:
        """Ends the user's sessions: all (global), this one (local), or all but this one (others)."""
        async with self._database.connection() as connection:
            await connection.execute(_SQL["log_out"], user, session, scope)

    async def _row(self, name: str, *args: Any) -> Record | None:
        async with self._database.connection() as connection:
            return await connection.fetchrow(_SQL[name], *args)


def new_refresh_token() -> str:
    """Twelve characters that nobody can guess."""
    return secrets.token_urlsafe(9)


def _json(value: dict[str, Any]) -> str:
    """The text of what a user tells of himself; what stands in an answer or a token must be writable there as well."""
    if not is_writable(value):
        raise AuthError(400, "validation_failed", "data is nested too deep")
    return orjson.dumps(value).decode()


def _signed_in(row: Record, refresh_token: str) -> SignedIn:
    return SignedIn(_account(row), row["session_id"], refresh_token)


def _account(row: Record) -> Account:
    return Account(
        id=row["id"],
        email=row["email"],
        is_anonymous=row["is_anonymous"],
        app_metadata=orjson.loads(row["raw_app_meta_data"]),
        user_metadata=orjson.loads(row["raw_user_meta_data"]),
        email_confirmed_at=row["email_confirmed_at"],
        last_sign_in_at=row["last_sign_in_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def iso(moment: datetime | None) -> str | None:
    """RFC 3339 with `Z`, as GoTrue writes times."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None
