"""Who calls: the project's key at the gateway, the bearer token behind it, and the session cookie of the web app."""

from __future__ import annotations

import base64
import binascii

import orjson
from starlette.requests import Request
from starlette.responses import Response

from reference_server.auth import Claims, TokenError, TokenVerifier
from reference_server.web.errors import gateway_error


def bearer_token(request: Request) -> str | None:
    """The token of `Authorization: Bearer …` (RFC 6750 section 2.1); None where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def cookie_token(request: Request) -> str | None:
    """The access token in the cookie of @supabase/ssr, whole or in chunks `.0`, `.1` … (PROTOCOL 3)."""
    for name, value in request.cookies.items():
        if name.startswith("sb-") and name.endswith(("-auth-token", "-auth-token.0")):
            chunks = [value]
            base = name.removesuffix(".0")
            while name != base and (chunk := request.cookies.get(f"{base}.{len(chunks)}")) is not None:
                chunks.append(chunk)
            return _access_token("".join(chunks))
    return None


def _access_token(cookie: str) -> str | None:
    text = cookie.removeprefix("base64-")
    try:
        session = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        token = session["access_token"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None
    return token if isinstance(token, str) else None


def session_token(request: Request) -> str | None:
    """The token that a call to the web app's own API speaks with: the header's, else the cookie's."""
    return bearer_token(request) or cookie_token(request)


class Gateway:
    """What stands before Auth and PostgREST: it wants the project's key, and names the caller."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    def refusal(self, request: Request) -> Response | None:
        """The 401 for a request without the project's key in the `apikey` header or parameter; None where it has it."""
        key = request.headers.get("apikey") or request.query_params.get("apikey")
        if not key:
            return gateway_error("No API key found in request", "No `apikey` request header or url param was found.")
        try:
            if self._verifier.verify(key).role == "anon":
                return None
        except TokenError:
            pass
        return gateway_error("Invalid API key", "Double check your Supabase `anon` or `service_role` API key.")

    def caller(self, request: Request, leeway: float = 0.0) -> Claims:
        """The claims of the bearer token, or of the project's key where there is none. Raises TokenError."""
        token = bearer_token(request) or request.headers.get("apikey") or request.query_params.get("apikey") or ""
        return self._verifier.verify(token, leeway)
