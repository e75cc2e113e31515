"""How users come to be: sign-up, password, minted token or a shared account; and how their tokens stay fresh."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from typing import Any

from harness.client.dialect import Account, CallBroke, CallRefused, Credentials, Identity, NotAdmitted, NotReached
from harness.client.http import Http, call
from harness.errors import Trouble
from harness.protocol.malformed import Malformed
from harness.protocol.token import claims_of, sign_hs256, user_claims
from harness.target import Target

PATIENCE = 60.0
"""How long a sign-in waits in all where the target asks to come later."""
FRESH = 0.8
"""The share of a token's lifetime after which it is refreshed."""
_FORBIDDEN = {"anonymous_provider_disabled", "signup_disabled"}
_MINTED_LIFETIME = 3600
_API_VERSION = "2024-01-01"


class Accounts:
    """Signs users in at one target (PROTOCOL 3)."""

    def __init__(self, target: Target, http: Http) -> None:
        self._target = target
        self._http = http
        self._listed: Iterator[tuple[str, str]] = iter(target.identities.users)
        self._refreshing = asyncio.Lock()

    async def sign_in(self, identity: Identity | None) -> Account:
        """Signs in by the identity given, else by the target's identities.

        Raises:
            Trouble: the target's settings or the target file cannot give us a user.
            NotAdmitted: this sign-in failed (NotReached: for want of an answer).
        """
        if isinstance(identity, Account):
            return identity
        if identity is None:
            identity = self._next_listed()
        if identity is not None:
            return await self._password(identity)
        if self._target.identities.mode == "jwt":
            return self._minted(str(uuid.uuid4()))
        return await self._session("signup", {"data": {}, "gotrue_meta_security": {}})

    async def refresh_if_stale(self, account: Account) -> None:
        """Renews a token that is about to expire; a failure is left to the call that needs the token."""
        if time.monotonic() < account.stale_at:
            return
        async with self._refreshing:
            if time.monotonic() < account.stale_at:
                return
            try:
                fresh = await self._renewed(account)
            except (NotAdmitted, Trouble):
                account.stale_at = time.monotonic() + 1.0
                return
            account.access_token, account.refresh_token = fresh.access_token, fresh.refresh_token
            account.stale_at = fresh.stale_at

    def _next_listed(self) -> Credentials | None:
        if self._target.identities.mode != "fixed":
            return None
        pair = next(self._listed, None)
        if pair is None:
            raise Trouble(
                f"the target file lists {len(self._target.identities.users)} users, and more are needed",
                "list more under [identities] users, or ask for fewer",
            )
        return Credentials(*pair)

    async def _password(self, credentials: Credentials) -> Account:
        body = {"email": credentials.email, "password": credentials.password, "gotrue_meta_security": {}}
        return await self._session("token?grant_type=password", body)

    async def _renewed(self, account: Account) -> Account:
        if self._target.identities.mode == "jwt":
            return self._minted(account.user)
        return await self._session("token?grant_type=refresh_token", {"refresh_token": account.refresh_token})

    def _minted(self, user: str) -> Account:
        secret = self._target.identities.jwt_secret
        if not secret:
            raise Trouble('the target file says mode = "jwt" without a secret', "give jwt_secret under [identities]")
        token = sign_hs256(user_claims(user, int(time.time()), _MINTED_LIFETIME), secret)
        return Account(user, token, "", time.monotonic() + _MINTED_LIFETIME * FRESH)

    async def _session(self, path: str, body: dict[str, Any]) -> Account:
        """Asks for a session, and comes again when the target says so (it limits sign-ins: PROTOCOL 3)."""
        deadline = time.monotonic() + PATIENCE
        url = f"{self._target.supabase_url}/auth/v1/{path}"
        headers = {
            "apikey": self._target.anon_key,
            "Authorization": f"Bearer {self._target.anon_key}",
            "X-Supabase-Api-Version": _API_VERSION,
        }
        while True:
            try:
                return _account((await call(self._http, "POST", url, headers, body)).body)
            except CallBroke as broke:
                raise NotReached(f"sign-in: {broke.detail}") from broke
            except CallRefused as refusal:
                wait = _wait_for(refusal)
                if wait is None or time.monotonic() + wait > deadline:
                    raise _refusal(refusal) from refusal
            await asyncio.sleep(wait)


def _wait_for(refusal: CallRefused) -> float | None:
    """Seconds after which to come again; None when it is of no use."""
    if refusal.status != 429:
        return None
    return 1.0 if refusal.retry_after is None else refusal.retry_after


def _refusal(refusal: CallRefused) -> Exception:
    if any(code in refusal.detail for code in _FORBIDDEN):
        return Trouble(
            f"the target does not let anonymous users sign up ({refusal})",
            'allow it, or list users under [identities] with mode = "fixed"',
        )
    return NotAdmitted(f"sign-in was refused: {refusal}")


def _account(session: Any) -> Account:
    """Reads a session (PROTOCOL 3). A bare user comes where the address must be confirmed first."""
    token = session.get("access_token") if isinstance(session, dict) else None
    if not isinstance(token, str):
        raise NotAdmitted("sign-in brought no session (does the target wait for a confirmed e-mail address?)")
    try:
        user = claims_of(token).get("sub")
    except Malformed as error:
        raise NotAdmitted(f"sign-in brought a token that cannot be read: {error}") from None
    if not isinstance(user, str):
        raise NotAdmitted("sign-in brought a token that names no user")
    lifetime = session.get("expires_in")
    seconds = float(lifetime) if isinstance(lifetime, int | float) else 3600.0
    return Account(user, token, str(session.get("refresh_token") or ""), time.monotonic() + seconds * FRESH)
