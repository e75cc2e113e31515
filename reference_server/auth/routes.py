"""The HTTP routes of Auth: sign-up, tokens, the user, log-out, keys (PROTOCOL 3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from reference_server.auth.accounts import Accounts, Changes, Method, Scope, SignedIn
from reference_server.auth.bodies import session_body, user_body
from reference_server.auth.claims import Claims
from reference_server.auth.errors import AuthError, OAuthError, auth_error_response, oauth_error_response
from reference_server.auth.tokens import TokenError, TokenSigner, TokenVerifier
from reference_server.db import Database, DatabaseError, Unavailable
from reference_server.settings import Settings
from reference_server.web.body import BadBody, read_json
from reference_server.web.caller import Gateway, bearer_token
from reference_server.web.errors import Json

Handler = Callable[[Request], Awaitable[Response]]
_BAD_BODIES = {400: "bad_json", 408: "request_timeout", 413: "request_too_large"}
_MALFORMED_EMAIL = "Unable to validate email address: invalid format"


def routes(
    settings: Settings, database: Database, signer: TokenSigner, verifier: TokenVerifier, gateway: Gateway
) -> list[BaseRoute]:
    """The routes under /auth/v1, each behind the gateway's check of the project's key."""
    auth = _Auth(settings, Accounts(database, settings.refresh_reuse_interval), signer, verifier)

    def route(path: str, handler: Handler, *methods: str) -> Route:
        return Route(f"/auth/v1{path}", _guarded(gateway, handler), methods=list(methods))

    return [
        route("/signup", auth.sign_up, "POST"),
        route("/token", auth.token, "POST"),
        route("/user", auth.user, "GET", "PUT"),
        route("/logout", auth.log_out, "POST"),
        route("/settings", auth.describe, "GET"),
        Route("/auth/v1/.well-known/jwks.json", auth.keys),
        Route("/auth/v1/health", _health),
    ]


class _Auth:
    def __init__(self, settings: Settings, accounts: Accounts, signer: TokenSigner, verifier: TokenVerifier) -> None:
        self._settings = settings
        self._issuer = settings.jwt_issuer
        self._accounts = accounts
        self._signer = signer
        self._verifier = verifier

    async def sign_up(self, request: Request) -> Response:
        """A new user: anonymous where the body names neither e-mail address nor password."""
        body = await _object(request)
        metadata = _metadata(body) or {}
        if body.get("phone"):
            raise AuthError(400, "phone_provider_disabled", "Phone sign-ups are not served here")
        if not self._settings.sign_ups:
            raise AuthError(422, "signup_disabled", "Signups not allowed for this instance")
        if not body.get("email") and not body.get("password"):
            if not self._settings.anonymous_sign_ins:
                raise AuthError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled")
            return self._session(request, await self._accounts.sign_up_anonymously(metadata), "anonymous")
        password = _text(body, "password", "Signup requires a valid password")
        email = _email(_text(body, "email", _MALFORMED_EMAIL))
        return self._session(request, await self._accounts.sign_up(email, password, metadata), "password")

    async def token(self, request: Request) -> Response:
        """A session by password, or by the refresh token of an earlier one."""
        body = await _object(request)
        match request.query_params.get("grant_type"):
            case "password":
                email = _text(body, "email", "missing email or phone")
                password = _text(body, "password", "missing password")
                return self._session(request, await self._accounts.sign_in(email.strip().lower(), password), "password")
            case "refresh_token":
                token = body.get("refresh_token")
                if not isinstance(token, str) or not token:
                    raise OAuthError("invalid_request", "refresh_token required")
                signed_in = await self._accounts.refresh(token)
                method: Method = "anonymous" if signed_in.account.is_anonymous else "password"
                return self._session(request, signed_in, method)
            case _:
                raise AuthError(400, "invalid_credentials", "unsupported_grant_type")

    async def user(self, request: Request) -> Response:
        """The user that the bearer token speaks for, as he is, or by PUT as he shall be."""
        user, session = self._speaker(request)
        if request.method == "PUT":
            return await self._change(request, user, session)
        return Json(user_body(await self._accounts.account(user, session)))

    async def _change(self, request: Request, user: UUID, session: UUID | None) -> Response:
        """Changes his e-mail address, password or metadata."""
        body = await _object(request)
        if body.get("phone"):
            raise AuthError(400, "phone_provider_disabled", "Phone sign-ups are not served here")
        email = _email(_text(body, "email", _MALFORMED_EMAIL)) if body.get("email") else None
        password = _text(body, "password", "the password must be a text") if body.get("password") is not None else None
        changes = Changes(email, password, _metadata(body))
        return Json(user_body(await self._accounts.change(user, session, changes)))

    async def log_out(self, request: Request) -> Response:
        """Ends sessions: `scope` is global (default), local or others."""
        scope = request.query_params.get("scope", "global")
        if scope not in {"global", "local", "others"}:
            raise AuthError(400, "validation_failed", f'Unsupported logout scope "{scope}"')
        user, session = self._speaker(request)
        await self._accounts.account(user, session)
        await self._accounts.log_out(user, session, cast("Scope", scope))
        return Response(status_code=204)

    def _session(self, request: Request, signed_in: SignedIn, method: Method) -> Response:
        issuer = self._issuer or f"{request.base_url}auth/v1"
        return Json(session_body(signed_in, method, issuer, self._settings.jwt_expiry, self._signer))

    async def keys(self, _request: Request) -> Response:
        """The public keys of asymmetric signatures (RFC 7517 section 5); none where tokens are signed with HS256."""
        return Json({"keys": self._signer.public_keys()}, headers={"Cache-Control": "public, max-age=600"})

    async def describe(self, _request: Request) -> Response:
        """What can be signed in with, as clients ask for it before they show a form."""
        return Json(
            {
                "external": {"anonymous_users": self._settings.anonymous_sign_ins, "email": True, "phone": False},
                "disable_signup": not self._settings.sign_ups,
                "mailer_autoconfirm": True,
                "phone_autoconfirm": False,
                "sms_provider": "",
                "saml_enabled": False,
            }
        )

    def _speaker(self, request: Request) -> tuple[UUID, UUID | None]:
        """The user and the session of the bearer token; Auth reports a bad one with 403, none at all with 401."""
        token = bearer_token(request)
        if token is None:
            raise AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token")
        try:
            claims = self._verifier.verify(token)
        except TokenError as error:
            raise AuthError(403, "bad_jwt", _BAD_JWT.format(_GOTRUE[error.code])) from None
        if claims.sub is None:
            raise AuthError(403, "bad_jwt", "invalid claim: missing sub claim")
        return claims.sub, _session_id(claims)


_BAD_JWT = "invalid JWT: unable to parse or verify signature, {}"
_GOTRUE = {
    "malformed": "token is malformed: could not be read",
    "signature": "token signature is invalid: signature is invalid",
    "expired": "token has invalid claims: token is expired",
    "claims": "token has invalid claims",
}


def _session_id(claims: Claims) -> UUID | None:
    """The session that the token names; None where it names none, as a token that was minted elsewhere does."""
    named = claims.raw.get("session_id")
    if not named:
        return None
    try:
        return UUID(str(named))
    except ValueError:
        raise AuthError(403, "bad_jwt", "invalid claim: session_id claim must be a UUID") from None


async def _object(request: Request) -> dict[str, Any]:
    body = await read_json(request)
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise AuthError(400, "bad_json", "Could not parse request body as JSON: it is not an object")
    return body


def _metadata(body: dict[str, Any]) -> dict[str, Any] | None:
    metadata = body.get("data")
    if metadata is not None and not isinstance(metadata, dict):
        raise AuthError(400, "validation_failed", "data must be an object")
    return metadata


def _text(body: dict[str, Any], name: str, otherwise: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise AuthError(400, "validation_failed", otherwise)
    return value


def _email(text: str) -> str:
    """The address in lower case; only its shape is checked: one @ with something on both sides."""
    email = text.strip().lower()
    local, at, domain = email.partition("@")
    if not (local and at and domain) or "@" in domain or any(c.isspace() for c in email) or len(email) > 255:
        raise AuthError(400, "validation_failed", _MALFORMED_EMAIL)
    return email


def _guarded(gateway: Gateway, handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        if (refusal := gateway.refusal(request)) is not None:
            return refusal
        try:
            return await handler(request)
        except AuthError as error:
            return auth_error_response(request, error)
        except OAuthError as error:
            return oauth_error_response(error)
        except BadBody as error:
            return auth_error_response(request, AuthError(error.status, _BAD_BODIES[error.status], error.message))
        except Unavailable:
            message = "The database cannot be reached"
            return auth_error_response(request, AuthError(503, "unexpected_failure", message))
        except DatabaseError as error:
            if not error.sqlstate.startswith("22"):
                raise
            return auth_error_response(request, AuthError(400, "validation_failed", error.message))

    return guarded


async def _health(_request: Request) -> Response:
    """That Auth is there, in GoTrue's words."""
    return Json({"version": "v2", "name": "GoTrue", "description": "Auth, as the reference server serves it"})
