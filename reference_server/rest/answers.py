"""The responses of PostgREST that are no errors: body, Content-Range, Content-Location, Preference-Applied."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import orjson
from starlette.responses import Response

from reference_server.rest.catalogue import Table
from reference_server.rest.errors import not_one, out_of_range
from reference_server.rest.preferences import Preferences
from reference_server.web.lean import Written


def shaped(text: str, rows: int, preferences: Preferences) -> str:
    """The array, or the one object in it. Raises RestError (PGRST116) where there are more or none."""
    if not preferences.single:
        return text
    if rows != 1:
        raise not_one(rows)
    return text[1:-1]


def read_answer(
    text: str, rows: int, offset: int, total: int | None, preferences: Preferences, location: str = ""
) -> Response:
    """200 with the rows from `offset` on, or 206 where there are known to be others.

    Raises:
        RestError: PGRST103 for an offset behind the last of `total` rows.
    """
    if total is not None and offset > total:
        raise out_of_range(f"An offset of {offset} was requested, but there are only {total} rows.")
    headers = [_range(offset, rows, total)]
    if location:
        headers.append((b"content-location", location.encode("latin-1")))
    return _answer(text, preferences, 200 if total is None or rows >= total else 206, headers)


def change_answer(text: str, rows: int, preferences: Preferences, status: int, table: Table | None = None) -> Response:
    """201 or 200 with the changed rows where they are wanted back; else 201, 200 or 204 without a body.

    `status` is 201 for a `table` with new rows; 200 for other changes.
    """
    total = rows if preferences.count else None
    if preferences.returning == "rows":
        return _answer(text, preferences, status, [_range(0, 0, total)])
    headers = {"content-range": content_range(0, 0, total)}
    if preferences.returning == "key" and table is not None and rows == 1:
        headers["location"] = key_location(table, text)
    if preferences.applied:
        headers["preference-applied"] = preferences.applied
    return Response(status_code=status if table is not None else 204, headers=headers)


def content_range(offset: int, rows: int, total: int | None = None) -> str:
    """Content-Range as PostgREST writes it: `0-9/57`, `0-9/*`, `*/*`."""
    span = f"{offset}-{offset + rows - 1}" if rows else "*"
    return f"{span}/{'*' if total is None else total}"


def content_location(path: str, raw_query: str) -> str:
    """Content-Location: the path and the parameters in order, as they came, without the key."""
    query = "&".join(sorted(part for part in raw_query.split("&") if part and not part.startswith("apikey=")))
    return f"/{path}?{query}" if query else f"/{path}"


def key_location(table: Table, text: str) -> str:
    """The address of the one row whose key stands in `text`, a JSON array of one object."""
    key: Mapping[str, object] = orjson.loads(text)[0]
    return f"/{table.name}?" + "&".join(f"{name}=eq.{quote(str(value))}" for name, value in key.items())


def _range(offset: int, rows: int, total: int | None) -> tuple[bytes, bytes]:
    return b"content-range", content_range(offset, rows, total).encode("ascii")


def _answer(text: str, preferences: Preferences, status: int, headers: list[tuple[bytes, bytes]]) -> Response:
    if preferences.applied:
        headers.append((b"preference-applied", preferences.applied.encode("ascii")))
    return Written(text.encode(), status, headers, preferences.media_type.encode("ascii"))
