"""Turns the text values of the write-ahead log into the JSON that `to_jsonb` would make of them; no I/O.

PROTOCOL 1.5: timestamptz always in UTC with `T` and `+00:00`, numbers as they stand (scale kept), jsonb nested, arrays
as JSON arrays. The reading connection must use `DateStyle ISO` and the time zone UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import orjson

from reference_server.realtime.pgoutput import Unchanged, Value

Encoder = Callable[[str], bytes]


def _string(text: str) -> bytes:
    return orjson.dumps(text)


def _boolean(text: str) -> bytes:
    return b"true" if text == "t" else b"false"


def _number(text: str) -> bytes:
    # NaN and the infinities are no JSON numbers: to_jsonb makes strings of them.
    return text.encode() if text[-1].isdigit() else orjson.dumps(text)


def _json(text: str) -> bytes:
    return text.encode()


def _timestamp(text: str) -> bytes:
    return orjson.dumps(text.replace(" ", "T", 1))


def _timestamptz(text: str) -> bytes:
    # "2026-01-01 21:34:05.678901+00"; dates before our era and "infinity" keep their own form.
    iso = text.replace(" ", "T", 1)
    return orjson.dumps(iso + ":00" if iso.endswith("+00") else iso.replace("+00 BC", "+00:00 BC"))


_ENCODERS: dict[str, Encoder] = {
    "bool": _boolean,
    **dict.fromkeys(("int2", "int4", "int8", "oid", "float4", "float8", "numeric"), _number),
    **dict.fromkeys(("json", "jsonb"), _json),
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
}


def encoder(type_name: str) -> Encoder:
    """The encoder of a type by its `pg_type.typname`; a leading underscore means an array of that type."""
    if type_name.startswith("_"):
        element = encoder(type_name[1:])
        return lambda text: _array(text, element)
    return _ENCODERS.get(type_name, _string)


def encode_object(fields: Iterable[tuple[bytes, Encoder, Value]]) -> bytes:
    """One row as a JSON object.

    Args:
        fields: for each column its JSON-quoted name, its encoder and its value. A value that the log does not hold
            (unchanged and out of line) is left out of the object.
    """
    parts = [
        name + b":" + (b"null" if value is None else encode(value))
        for name, encode, value in fields
        if value is not Unchanged.TOAST
    ]
    return b"{" + b",".join(parts) + b"}"


def _array(text: str, element: Encoder) -> bytes:
    if text.startswith("["):  # explicit bounds, "[0:1]={a,b}": JSON has none
        text = text[text.index("=") + 1 :]
    return _array_at(text, 0, element)[0]


def _array_at(text: str, at: int, element: Encoder) -> tuple[bytes, int]:
    """Parses the array literal that opens at `at`; returns its JSON and the position after it."""
    items: list[bytes] = []
    at += 1
    while text[at] != "}":
        if text[at] == "{":
            item, at = _array_at(text, at, element)
        elif text[at] == '"':
            quoted, at = _quoted(text, at + 1)
            item = element(quoted)
        else:
            start = at
            while text[at] not in ",}":
                at += 1
            bare = text[start:at]
            item = b"null" if bare == "NULL" else element(bare)
        items.append(item)
        if text[at] == ",":
            at += 1
    return b"[" + b",".join(items) + b"]", at + 1


def _quoted(text: str, at: int) -> tuple[str, int]:
    letters: list[str] = []
    while text[at] != '"':
        if text[at] == "\\":
            at += 1
        letters.append(text[at])
        at += 1
    return "".join(letters), at + 1
