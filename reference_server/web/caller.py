"""Who calls: the project's key at the gateway, the bearer token behind it, and the session cookie of the web app."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

import orjson
from starlette.requests import Request
from starlette.responses import Response

from reference_server.auth import Claims, TokenError, TokenVerifier
from reference_server.web.body import header
from reference_server.web.errors import gateway_error

_COOKIE = "-auth-token"
_PREFIX = "base64-"


def bearer_token(request: Request) -> str | None:
    """The token of `Authorization: Bearer …` (RFC 6750 section 2.1); None where there is none."""
    scheme, _, token = header(request, b"authorization").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def cookie_token(request: Request) -> str | None:
    """The access token in the cookie of @supabase/ssr, whole or in chunks `.0`, `.1` … (PROTOCOL 3).

    The cookie is named after the host of the Supabase project. Cookies know no port, so those of other projects on this
    host come along: one that is named after the host called is looked at first.
    """
    cookies = request.cookies
    names = {name.removesuffix(".0") for name in cookies if name.startswith("sb-")}
    names = {name for name in names if name.endswith(_COOKIE)}
    host = request.headers.get("host", "").partition(":")[0]
    own = f"sb-{host.partition('.')[0]}{_COOKIE}"
    for name in sorted(names, key=lambda name: (name != own, name)):
        if (token := _access_token(_whole(cookies, name))) is not None:
            return token
    return None


def _whole(cookies: dict[str, str], name: str) -> str:
    """The value of a cookie, put together where it came in chunks."""
    if name in cookies:
        return cookies[name]
    chunks = list[str]()
    while (chunk := cookies.get(f"{name}.{len(chunks)}")) is not None:
        chunks.append(chunk)
    return "".join(chunks)


def _access_token(cookie: str) -> str | None:
    """The token of a session: base64url behind the prefix, or JSON as older versions of the library wrote it."""
    try:
        if cookie.startswith(_PREFIX):
            text = cookie.removeprefix(_PREFIX)
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        else:
            raw = unquote_to_bytes(cookie)
        token = orjson.loads(raw)["access_token"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None
    return token if isinstance(token, str) else None


def session_token(request: Request) -> str | None:
    """The token that a call to the web app's own API speaks with: the header's, else the cookie's."""
    return bearer_token(request) or cookie_token(request)


def _project_key(request: Request) -> str:
    """The key of the project, in the header or among the parameters; "" where there is none."""
    return header(request, b"apikey") or request.query_params.get("apikey") or ""


class Gateway:
    """What stands before Auth and PostgREST: it wants the project's key, and names the caller."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    def refusal(self, request: Request) -> Response | None:
        """The 401 for a request without the project's key in the `apikey` header or parameter; None where it has it."""
        key = _project_key(request)
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
        token = bearer_token(request) or _project_key(request)
        return self._verifier.verify(token, leeway)
