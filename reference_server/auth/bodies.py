"""What Auth answers with: users, sessions, and the claims of access tokens (PROTOCOL 3)."""

from __future__ import annotations

import time
from typing import Any

from reference_server.auth.accounts import Account, Method, SignedIn, iso
from reference_server.auth.tokens import TokenSigner


def user_body(account: Account) -> dict[str, Any]:
    """A user, as GoTrue shows him to himself."""
    confirmed = iso(account.email_confirmed_at)
    return {
        "id": str(account.id),
        "aud": "authenticated",
        "role": "authenticated",
        "email": account.email or "",
        "email_confirmed_at": confirmed,
        "phone": "",
        "confirmed_at": confirmed,
        "last_sign_in_at": iso(account.last_sign_in_at),
        "app_metadata": account.app_metadata,
        "user_metadata": account.user_metadata,
        "identities": _identities(account),
        "created_at": iso(account.created_at),
        "updated_at": iso(account.updated_at),
        "is_anonymous": account.is_anonymous,
    }


def _identities(account: Account) -> list[dict[str, Any]]:
    if account.email is None:
        return []
    user, created = str(account.id), iso(account.created_at)
    return [
        {
            "identity_id": user,
            "id": user,
            "user_id": user,
            "identity_data": {"email": account.email, "email_verified": True, "phone_verified": False, "sub": user},
            "provider": "email",
            "last_sign_in_at": iso(account.last_sign_in_at),
            "created_at": created,
            "updated_at": created,
            "email": account.email,
        }
    ]


def session_body(
    signed_in: SignedIn, method: Method, issuer: str, lifetime: float, signer: TokenSigner
) -> dict[str, Any]:
    """A session with a fresh access token that is good for `lifetime` seconds; `issuer` is the address of Auth."""
    issued = int(time.time())
    expires = issued + int(lifetime)
    claims = _claims(signed_in, issuer) | {"iat": issued, "exp": expires}
    claims["amr"] = [{"method": method, "timestamp": issued}]
    return {
        "access_token": signer.sign(claims),
        "token_type": "bearer",
        "expires_in": int(lifetime),
        "expires_at": expires,
        "refresh_token": signed_in.refresh_token,
        "user": user_body(signed_in.account),
    }


def _claims(signed_in: SignedIn, issuer: str) -> dict[str, Any]:
    account = signed_in.account
    return {
        "iss": issuer,
        "sub": str(account.id),
        "aud": "authenticated",
        "email": account.email or "",
        "phone": "",
        "app_metadata": account.app_metadata,
        "user_metadata": account.user_metadata,
        "role": "authenticated",
        "aal": "aal1",
        "session_id": str(signed_in.session_id),
        "is_anonymous": account.is_anonymous,
    }
