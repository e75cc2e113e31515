"""How PostgREST says no: its codes, and which HTTP status PostgreSQL's codes have (PROTOCOL 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import orjson
from starlette.responses import Response

from reference_server.auth import TokenError
from reference_server.db import DatabaseError, NoneFree, Unavailable
from reference_server.web.errors import Json


class RestError(Exception):
    """A refusal in PostgREST's shape; `code` is one of PostgREST's or an SQLSTATE."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: str | None = None,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.hint = hint
        self.headers = headers or {}


def not_served(what: str) -> RestError:
    """For what PostgREST has and this server does not: its own code for a missing feature, naming it."""
    return RestError(400, "PGRST127", "Feature not implemented", f"{what} is not served by this server")


def wrong_method(method: str, allowed: str) -> RestError:
    """For a method that is not served at this address; `allowed` are those that are (RFC 9110 section 15.5.6)."""
    return RestError(405, "PGRST117", f"Unsupported HTTP method: {method}", None, None, {"Allow": allowed})


def no_such_path() -> RestError:
    """For an address below /rest/v1 that is neither a table's nor a function's."""
    return RestError(404, "PGRST125", "Invalid path specified in request URL")


def unparsable(kind: str, text: str, column: int, details: str) -> RestError:
    """For a part of the query string that does not follow the grammar; `column` counts from 1."""
    return RestError(400, "PGRST100", f'"failed to parse {kind} ({text})" (line 1, column {column})', details)


def out_of_range(details: str) -> RestError:
    """For rows that cannot be, as the limits or the Range header ask for them."""
    return RestError(416, "PGRST103", "Requested range not satisfiable", details)


def invalid_body() -> RestError:
    """For a body that is not the JSON that the request needs."""
    return RestError(400, "PGRST102", "Empty or invalid json")


def not_one(rows: int) -> RestError:
    """For an answer of several rows, or of none, where one object was asked for."""
    details = f"The result contains {rows} rows"
    return RestError(406, "PGRST116", "Cannot coerce the result to a single JSON object", details)


def too_many(rows: int) -> RestError:
    """For a change of more rows than the request's preference lets it change."""
    message = "Query result exceeds max-affected preference constraint"
    return RestError(400, "PGRST124", message, f"The query affects {rows} rows")


def of_token(error: TokenError) -> RestError:
    """For a bearer token that is not taken."""
    if error.code in {"expired", "claims"}:
        return RestError(401, "PGRST303", error.message)
    details = "None of the keys was able to decode the JWT" if error.code == "signature" else None
    return RestError(401, "PGRST301", error.message, details)


def of_database(error: DatabaseError, role: str) -> RestError:
    """For what PostgreSQL refused to a caller of this role, or one of its functions by an error of its own making.

    `raise sqlstate 'PGRST'` names status and headers, as PostgREST has it (docs.postgrest.org, "RAISE errors with HTTP
    status codes").
    """
    if error.sqlstate == _MADE:
        return _made(error)
    return RestError(_status(error.sqlstate, role), error.sqlstate, error.message, error.detail, error.hint)


def _made(error: DatabaseError) -> RestError:
    try:
        said, form = orjson.loads(error.message), orjson.loads(error.detail or "")
        headers = {str(name): str(value) for name, value in form.get("headers", {}).items()}
        texts = (said.get("details"), said.get("hint"))
        return RestError(int(form["status"]), said["code"], said["message"], *texts, headers)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return RestError(500, "PGRST121", f"Could not parse JSON in the \"RAISE SQLSTATE '{_MADE}'\" error")


def unreachable(error: Unavailable) -> RestError:
    """For a database that cannot be reached, or has no connection free in time."""
    if isinstance(error, NoneFree):
        return RestError(504, "PGRST003", "Timed out acquiring connection from connection pool.")
    return RestError(503, "PGRST000", "Database connection error. Retrying the connection.")


Version = Literal["12", "13"]
"""Whose words the errors have: those of PostgREST up to 12, or from 13 on."""
_BEFORE_13 = {
    "PGRST116": ("PGRST116", "JSON object requested, multiple (or no) rows returned"),
    "PGRST303": ("PGRST301", ""),
}
_MADE = "PGRST"
_BY_CODE = {
    "23503": 409,
    "23505": 409,
    "25006": 405,
    "42883": 404,
    "42P01": 404,
    "42P17": 500,
    "53400": 500,
    "57P01": 503,
    "P0001": 400,
}
_BY_CLASS = {
    **dict.fromkeys(("08", "53"), 503),
    **dict.fromkeys(("0L", "0P", "28"), 403),
    **dict.fromkeys(("09", "25", "2D", "38", "39", "3B", "40", "54", "55", "57", "58", "F0", "HV", "P0", "XX"), 500),
}


def _status(sqlstate: str, role: str) -> int:
    if sqlstate == "42501":
        return 401 if role == "anon" else 403
    return _BY_CODE.get(sqlstate) or _BY_CLASS.get(sqlstate[:2], 400)


def response(error: RestError, version: Version = "13") -> Response:
    """The error as a response; from version 13 on with the header that names its code to proxies (RFC 9209)."""
    code, message = error.code, error.message
    if version == "12":
        code, message = _BEFORE_13.get(code, (code, message))
    headers = {**error.headers} if version == "12" else {**error.headers, "Proxy-Status": f"PostgREST; error={code}"}
    if error.status == 401:
        quoted = error.message.replace("\\", "\\\\").replace('"', '\\"')
        named = f' error="invalid_token", error_description="{quoted}"' if code.startswith("PGRST") else ""
        headers["WWW-Authenticate"] = "Bearer" + named
    body = {"code": code, "message": message or error.message, "details": error.details, "hint": error.hint}
    return Json(body, error.status, headers, media_type="application/json; charset=utf-8")
