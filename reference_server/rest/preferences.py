"""What a request's headers ask of PostgREST: the form of the answer, and preferences (RFC 7240)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from starlette.datastructures import Headers

from reference_server.rest.errors import RestError, not_served
from reference_server.rest.statements import Resolution, Returning

OBJECT = "application/vnd.pgrst.object+json"
ARRAY = "application/json"
_OBJECTS = frozenset({OBJECT, "application/vnd.pgrst.object"})
_ARRAYS = frozenset({"*/*", "application/*", ARRAY, "application/vnd.pgrst.array+json", "application/vnd.pgrst.array"})
_OTHER_BODIES = frozenset({"text/csv", "application/x-www-form-urlencoded"})
_HEADERS = frozenset({b"accept", b"prefer", b"accept-profile", b"content-profile"})
_LONGEST_KEPT = 1_000
Count = Literal["exact", "planned", "estimated"]
# What may be asked for, in the order in which PostgREST echoes it.
_VALUES: dict[str, frozenset[str]] = {
    "resolution": frozenset({"merge-duplicates", "ignore-duplicates"}),
    "missing": frozenset({"default", "null"}),
    "return": frozenset({"representation", "minimal", "headers-only"}),
    "count": frozenset({"exact", "planned", "estimated"}),
    "tx": frozenset({"commit"}),
    "handling": frozenset({"strict", "lenient"}),
    "max-affected": frozenset(),
}
_RETURNING: dict[str, Returning] = {"representation": "rows", "headers-only": "key"}


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the headers ask for.

    `single`: one object and not an array; `strip_nulls`: members that are null are left out; `returning`: what is
    wanted back of a change; `defaults`: what a new row lacks takes its default; `most`: how many rows may be changed at
    most; `applied`: what is echoed.
    """

    single: bool = False
    strip_nulls: bool = False
    returning: Returning = "nothing"
    resolution: Resolution | None = None
    count: Count | None = None
    defaults: bool = False
    most: int | None = None
    applied: str = ""

    @property
    def media_type(self) -> str:
        stripped = ";nulls=stripped" if self.strip_nulls else ""
        return f"{OBJECT if self.single else ARRAY}{stripped}; charset=utf-8"


def preferences_of(method: str, headers: list[tuple[bytes, bytes]]) -> Preferences:
    """As `read_preferences`, of the headers as they came; what clients say again and again is read once."""
    own = tuple(pair for pair in headers if pair[0] in _HEADERS)
    if sum(len(value) for _, value in own) > _LONGEST_KEPT:
        return read_preferences(method, Headers(raw=list(own)))
    return _kept(method, own)


@lru_cache(maxsize=256)
def _kept(method: str, own: tuple[tuple[bytes, bytes], ...]) -> Preferences:
    return read_preferences(method, Headers(raw=list(own)))


def read_preferences(method: str, headers: Headers) -> Preferences:
    """Reads Accept, Prefer and the profile headers.

    A preference that is not known is passed over (RFC 7240 section 2), unless it comes with `handling=strict`.

    Raises:
        RestError: for another schema (PGRST106), a form that is not there (PGRST107), or an unknown preference that the
            request insists on (PGRST122).
    """
    _check_profile(method, headers)
    single, strip_nulls = _form(headers.get("accept", "*/*"))
    if "prefer" not in headers:
        return Preferences(single, strip_nulls)
    found, unknown = _read(headers)
    strict = found.get("handling") == "strict"
    if strict and unknown:
        details = f"Invalid preferences: {', '.join(unknown)}"
        raise RestError(400, "PGRST122", "Invalid preferences given with handling=strict", details)
    if not strict:
        found.pop("max-affected", None)
    return Preferences(
        single,
        strip_nulls,
        returning=_RETURNING.get(found.get("return", ""), "nothing"),
        resolution=cast("Resolution | None", found.get("resolution")),
        count=cast("Count | None", found.get("count")),
        defaults=found.get("missing") == "default",
        most=int(found["max-affected"]) if "max-affected" in found else None,
        applied=", ".join(f"{name}={found[name]}" for name in _VALUES if name in found),
    )


def check_body_type(headers: Headers) -> None:
    """A body is JSON, and is taken for it where nothing is said. Its text is read as it comes: no encoding is undone.

    Raises:
        RestError: for another type (PGRST102), or one that PostgREST reads and this server does not (PGRST127).
    """
    kind = headers.get("content-type", ARRAY).partition(";")[0].strip().lower()
    if kind in _OTHER_BODIES:
        raise not_served(f"a body of the type {kind}")
    if kind != ARRAY:
        raise RestError(400, "PGRST102", f"Content-Type not acceptable: {kind}")


def _read(headers: Headers) -> tuple[dict[str, str], list[str]]:
    """The known preferences, of each the first (RFC 7240 section 2), and the others as they came."""
    found, unknown = dict[str, str](), list[str]()
    for item in ",".join(headers.getlist("prefer")).split(","):
        name, _, value = item.strip().partition("=")
        if value in _VALUES.get(name, ()) or (name == "max-affected" and _is_number(value)):
            found.setdefault(name, value)
        elif name:
            unknown.append(item.strip())
    return found, unknown


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _check_profile(method: str, headers: Headers) -> None:
    """Only the schema `public` is there: reads name it in Accept-Profile, the others in Content-Profile."""
    schema = headers.get("accept-profile" if method in {"GET", "HEAD"} else "content-profile", "public")
    if schema != "public":
        hint = "Only the following schemas are exposed: public"
        raise RestError(406, "PGRST106", f"Invalid schema: {schema}", None, hint)


def _form(accept: str) -> tuple[bool, bool]:
    """Whether one object is wanted, and whether without its nulls; the first form that is there counts."""
    for item in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        if kind in _OBJECTS or kind in _ARRAYS:
            return kind in _OBJECTS, "nulls=stripped" in parameters
    raise RestError(406, "PGRST107", f"None of these media types are available: {accept}")
