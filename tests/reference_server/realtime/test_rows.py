"""Logged text → JSON: PostgreSQL's own to_jsonb is the oracle."""

from __future__ import annotations

import orjson

from reference_server.db import Database
from reference_server.realtime.pgoutput import Unchanged
from reference_server.realtime.rows import encode_object, encoder

VALUES = [
    ("uuid", "'0f8fad5b-d9cb-469f-a165-70867728950e'"),
    ("text", "E'line\\n\"quoted\" \\\\ tab\\t é ✓ \\x01'"),
    ("text", "''"),
    ("varchar(9)", "'abc'"),
    ("bpchar(5)", "'ab'"),
    ("bool", "true"),
    ("bool", "false"),
    ("int2", "-7"),
    ("int4", "2147483647"),
    ("int8", "9223372036854775807"),
    ("numeric", "1.50"),
    ("numeric", "'NaN'"),
    ("numeric", "12345678901234567890.123456789"),
    ("float8", "0.1"),
    ("float8", "1e300"),
    ("float8", "'Infinity'"),
    ("float4", "'-Infinity'"),
    ("timestamptz", "'2026-01-02 03:04:05.678901+05:30'"),
    ("timestamptz", "'2026-01-02 03:04:05Z'"),
    ("timestamptz", "'infinity'"),
    ("timestamptz", "'0044-03-15 12:00:00+00 BC'"),
    ("timestamp", "'2026-01-02 03:04:05.5'"),
    ("date", "'2026-01-02'"),
    ("time", "'03:04:05.5'"),
    ("interval", "'1 day 2 hours'"),
    ("jsonb", """'{"a": [1, 2.50, null, {"b": "c"}]}'"""),
    ("json", """'{"a":  1}'"""),
    ("bytea", r"'\x00ff'"),
    ("inet", "'127.0.0.1/8'"),
    ("text[]", """array['a', null, 'NULL', '', 'with "quotes" and \\ and , and {}']"""),
    ("int4[]", "array[[1, 2], [3, null]]"),
    ("int4[]", "'[0:1]={5,6}'"),
    ("int4[]", "'{}'"),
    ("timestamptz[]", "array['2026-01-02 03:04:05Z'::timestamptz]"),
    ("jsonb[]", """array['{"a": 1}'::jsonb]"""),
    ("bool[]", "array[true, null]"),
]


async def test_json_is_what_to_jsonb_makes(installed: Database) -> None:
    """For each type the encoder makes of the output text what to_jsonb makes of the value."""
    wrong = []
    async with installed.connection() as connection:
        for kind, value in VALUES:
            query = f"""select format('%s', v) as logged, to_jsonb(v)::text as wanted, t.typname::text as name
                from (select {value}::{kind} as v) x, pg_type t where t.oid = pg_typeof(v)::oid"""
            found = await connection.fetchrow(query)
            assert found is not None
            made = encoder(found["name"])(found["logged"]).decode()
            if orjson.loads(made) != orjson.loads(found["wanted"]):
                wrong.append((kind, value, made, found["wanted"]))
    assert wrong == []


def test_numbers_keep_their_scale() -> None:
    """1.50 stays 1.50 on the wire, though JSON readers may not care."""
    assert encoder("numeric")("1.50") == b"1.50"


def test_an_object_has_nulls_and_leaves_out_what_the_log_does_not_hold() -> None:
    """null is a value; a value that lies out of line and was left alone is unknown."""
    string = encoder("text")
    fields = [(b'"a"', string, "x"), (b'"b"', string, None), (b'"c"', string, Unchanged.TOAST)]
    assert encode_object(fields) == b'{"a":"x","b":null}'
