"""The shapes in which the parts of Supabase report an error (PROTOCOL 2.3 and 3)."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response


class Json(Response):
    """A JSON response, written by orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def gateway_error(message: str, hint: str) -> Response:
    """401 of the gateway: no key, or not one of ours."""
    return Json({"message": message, "hint": hint}, 401)


def not_served(what: str) -> Response:
    """404 for a path that this server does not have."""
    return Json({"error": f"{what} is not served here"}, 404)


def unavailable() -> Response:
    """503 where the database cannot be reached, outside PostgREST's and Auth's own shapes."""
    return Json({"error": "The database cannot be reached"}, 503)


def failed() -> Response:
    """500 for a mistake of ours, outside PostgREST's and Auth's own shapes."""
    return Json({"error": "Internal Server Error"}, 500)
