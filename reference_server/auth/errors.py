"""How Auth says no: GoTrue's error codes in both of the shapes that clients parse (PROTOCOL 3)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from reference_server.web.errors import Json

API_VERSION = "2024-01-01"


class AuthError(Exception):
    """A refusal of Auth: its status, its code, its sentence, and further members of the body."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.more = more


class OAuthError(Exception):
    """A refusal in OAuth's own shape (RFC 6749 section 5.2), status 400."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


def auth_error_response(request: Request, error: AuthError) -> Response:
    """The new shape for a client that names an API version from 2024-01-01 on, else the old one."""
    headers = {"x-sb-error-code": error.code}
    if request.headers.get("x-supabase-api-version", "") >= API_VERSION:
        body = {"code": error.code, "message": error.message, **error.more}
        headers["X-Supabase-Api-Version"] = API_VERSION
    else:
        body = {"code": error.status, "error_code": error.code, "msg": error.message, **error.more}
    return Json(body, error.status, headers)


def oauth_error_response(error: OAuthError) -> Response:
    """400 in OAuth's shape."""
    return Json({"error": error.error, "error_description": error.description}, 400)
