"""What a request's headers ask of PostgREST: the form of the answer, and preferences (RFC 7240)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starlette.datastructures import Headers

from reference_server.rest.errors import RestError, not_served
from reference_server.rest.statements import Resolution

OBJECT = "application/vnd.pgrst.object+json"
ARRAY = "application/json"


@dataclass(frozen=True, slots=True)
class Preferences:
    """`single`: one object and not an array. `returning`: the rows are wanted back. `applied`: what is echoed."""

    single: bool = False
    returning: bool = False
    resolution: Resolution | None = None
    count: bool = False
    applied: str = ""

    @property
    def media_type(self) -> str:
        return f"{OBJECT if self.single else ARRAY}; charset=utf-8"


def read_preferences(method: str, headers: Headers) -> Preferences:
    """Reads Accept, Prefer, Range and the profile headers.

    Raises:
        RestError: for another schema (PGRST106), a form that is not there (PGRST107), or what is not served (PGRST127).
    """
    _check_profile(method, headers)
    if "range" in headers:
        raise not_served("the Range header")
    single = _is_single(headers.get("accept", "*/*"))
    returning, count = False, False
    resolution: Resolution | None = None
    applied = list[str]()
    for item in ",".join(headers.getlist("prefer")).split(","):
        name, _, value = item.strip().partition("=")
        match name, value:
            case "return", "representation" | "minimal":
                returning = value == "representation"
            case "resolution", "merge-duplicates" | "ignore-duplicates":
                resolution = _resolution(value)
            case "count", "exact":
                count = True
            case (("return" | "resolution" | "count" | "missing" | "tx" | "handling" | "max-affected" | "timezone"), _):
                raise not_served(f"the preference {name}={value}")
            case _:
                continue
        applied.append(f"{name}={value}")
    return Preferences(single, returning, resolution, count, ", ".join(applied))


def _resolution(value: str) -> Resolution:
    return "merge-duplicates" if value == "merge-duplicates" else "ignore-duplicates"


def _check_profile(method: str, headers: Headers) -> None:
    """Only the schema `public` is there: reads name it in Accept-Profile, the others in Content-Profile."""
    schema = headers.get("accept-profile" if method in {"GET", "HEAD"} else "content-profile", "public")
    if schema != "public":
        hint = "Only the following schemas are exposed: public"
        raise RestError(406, "PGRST106", f"Invalid schema: {schema}", None, hint)


def _is_single(accept: str) -> bool:
    kinds: list[Literal["object", "array"]] = []
    for item in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        if kind in {OBJECT, "application/vnd.pgrst.object"}:
            if "nulls=stripped" in parameters:
                raise not_served("nulls=stripped")
            kinds.append("object")
        elif kind in {"*/*", "application/*", ARRAY}:
            kinds.append("array")
    if not kinds:
        raise RestError(406, "PGRST107", f"None of these media types are available: {accept}")
    return kinds[0] == "object"
