"""The JSON body of an insert, an update or a call: what columns it names, in a form that PostgreSQL can read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from reference_server.rest.catalogue import Table
from reference_server.rest.errors import RestError, invalid_body


@dataclass(frozen=True, slots=True)
class Rows:
    """New rows: JSON text of an array of objects, how many, and the columns to fill."""

    text: str
    number: int
    columns: tuple[str, ...]


def read_rows(table: Table, body: bytes, wanted: tuple[str, ...] | None) -> Rows:
    """One object or an array of objects; `wanted` are the columns that the request names, else the objects' own.

    Raises:
        RestError: no such JSON, objects that differ in their members (PGRST102), or an unknown column (PGRST204).
    """
    value = _loads(body)
    objects = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in objects):
        raise invalid_body()
    if wanted is None:
        wanted = tuple(objects[0]) if objects else ()
        if any(item.keys() != objects[0].keys() for item in objects):
            raise RestError(400, "PGRST102", "All object keys must match")
    text = body.decode() if isinstance(value, list) else f"[{body.decode()}]"
    return Rows(text, len(objects), _known(table, wanted))


def read_changes(table: Table, body: bytes, wanted: tuple[str, ...] | None) -> tuple[str, tuple[str, ...]]:
    """One object, as text, and the columns that it sets. Raises RestError as `read_rows` does."""
    value = _loads(body)
    if not isinstance(value, dict):
        raise invalid_body()
    return body.decode(), _known(table, wanted if wanted is not None else tuple(value))


def read_arguments(body: bytes) -> tuple[str, frozenset[str]]:
    """One object, as text, and its members' names; no body is an object without members."""
    if not body.strip():
        return "{}", frozenset()
    value = _loads(body)
    if not isinstance(value, dict):
        raise invalid_body()
    return body.decode(), frozenset(value)


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise invalid_body() from None


def _known(table: Table, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in table.columns:
            message = f"Could not find the '{name}' column of '{table.name}' in the schema cache"
            raise RestError(400, "PGRST204", message)
    return tuple(dict.fromkeys(names))
