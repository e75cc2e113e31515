"""Accounts with an address and a password, and the calls that open sessions for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from conformance.outcome import NotVerified
from conformance.trial import Trial
from conformance.wire.http import Reply

PASSWORD = "correct horse battery staple"  # noqa: S105 — of accounts that the suite itself makes
_CLOSED = {"signup_disabled", "anonymous_provider_disabled", "email_provider_disabled", "email_address_not_authorized"}


@dataclass(frozen=True, slots=True)
class Registered:
    """An account that the suite has made, and the session of its sign-up."""

    email: str
    session: dict[str, Any]

    @property
    def user(self) -> str:
        """Its id."""
        return str(self.session["user"]["id"])


def new_address() -> str:
    """An address that nobody has (RFC 2606 keeps the domain free)."""
    return f"conformance-{uuid4().hex[:12]}@example.com"


async def sign_up(trial: Trial, email: str, password: str = PASSWORD, **more: Any) -> Reply:
    """The sign-up of an official client."""
    body = {"email": email, "password": password, "data": {}, "gotrue_meta_security": {}, **more}
    return await trial.http.auth("POST", "signup", body=body)


async def come_anonymously(trial: Trial) -> Reply:
    """The anonymous sign-up. Raises NotVerified where the target does not offer it."""
    reply = await trial.http.auth("POST", "signup", body={"data": {}, "gotrue_meta_security": {}})
    return _open(reply)


async def register(trial: Trial, **more: Any) -> Registered:
    """A new account. Raises NotVerified where the target lets nobody in at once."""
    email = new_address()
    reply = _open(await sign_up(trial, email, **more))
    session = reply.expect(200).fields
    if "access_token" not in session:
        raise NotVerified("it takes sign-ups that need no confirmation by e-mail (mailer_autoconfirm)")
    return Registered(email, session)


async def the_registered(trial: Trial) -> Registered:
    """An account that several tests share: none of them signs it out."""
    return await trial.once("registered", lambda: register(trial))


async def sign_in(trial: Trial, email: str, password: str = PASSWORD, **headers: str | None) -> Reply:
    """The sign-in with a password."""
    body = {"email": email, "password": password, "gotrue_meta_security": {}}
    return await trial.http.auth("POST", "token?grant_type=password", body=body, **headers)


async def refresh(trial: Trial, token: str) -> Reply:
    """The exchange of a refresh token."""
    return await trial.http.auth("POST", "token?grant_type=refresh_token", body={"refresh_token": token})


async def who_am_i(trial: Trial, token: str) -> Reply:
    """The user behind an access token."""
    return await trial.http.auth("GET", "user", token)


def _open(reply: Reply) -> Reply:
    if reply.code in _CLOSED:
        raise NotVerified(f"it takes sign-ups, which the target refuses ({reply.code})")
    return reply
