"""The decoder of pgoutput, on messages laid out by hand after the documentation."""

from __future__ import annotations

import struct

import pytest

from reference_server.realtime.pgoutput import (
    Begin,
    Column,
    Commit,
    Delete,
    Insert,
    Malformed,
    Origin,
    Relation,
    Truncate,
    Type,
    Unchanged,
    Update,
    decode,
)


def text(value: str) -> bytes:
    return b"t" + struct.pack(">I", len(value.encode())) + value.encode()


def row(*values: bytes) -> bytes:
    return struct.pack(">H", len(values)) + b"".join(values)


OID = struct.pack(">I", 16384)
KEPT, NULL = b"u", b"n"

MESSAGES = [
    (b"B" + struct.pack(">QqI", 7, 5_000_000, 742), Begin(7, 5_000_000, 742)),
    (b"C\0" + struct.pack(">QQq", 7, 9, 5_000_000), Commit(7, 9, 5_000_000)),
    (
        b"R"
        + OID
        + b"public\0chat\0d"
        + struct.pack(">H", 2)
        + b"\1id\0"
        + struct.pack(">Ii", 2950, -1)
        + b"\0name\0"
        + struct.pack(">Ii", 1043, 24),
        Relation(16384, "public", "chat", "d", (Column("id", 2950, -1, True), Column("name", 1043, 24, False))),
    ),
    (b"R" + OID + b"\0pg_class\0n" + struct.pack(">H", 0), Relation(16384, "pg_catalog", "pg_class", "n", ())),
    (b"I" + OID + b"N" + row(text("é✓"), NULL), Insert(16384, ("é✓", None))),
    (b"I" + OID + b"N" + row(text("")), Insert(16384, ("",))),
    (b"U" + OID + b"N" + row(text("a"), KEPT), Update(16384, None, ("a", Unchanged.TOAST))),
    (b"U" + OID + b"K" + row(text("a"), NULL) + b"N" + row(text("b"), NULL), Update(16384, ("a", None), ("b", None))),
    (b"U" + OID + b"O" + row(text("a")) + b"N" + row(text("b")), Update(16384, ("a",), ("b",))),
    (b"D" + OID + b"K" + row(text("a"), NULL), Delete(16384, ("a", None))),
    (b"D" + OID + b"O" + row(text("a"), text("b")), Delete(16384, ("a", "b"))),
    (b"T" + struct.pack(">IBII", 2, 1, 16384, 16385), Truncate((16384, 16385))),
    (b"Y" + OID + b"public\0mood\0", Type(16384, "public", "mood")),
    (b"O" + struct.pack(">Q", 9) + b"elsewhere\0", Origin(9, "elsewhere")),
]


@pytest.mark.parametrize(("data", "message"), MESSAGES, ids=lambda value: type(value).__name__)
def test_every_kind_of_message(data: bytes, message: object) -> None:
    """Each documented layout is decoded to its fields."""
    assert decode(data) == message


@pytest.mark.parametrize(("data", "_message"), MESSAGES, ids=lambda value: type(value).__name__)
def test_a_message_cut_short_is_malformed(data: bytes, _message: object) -> None:
    """No prefix of a message is taken for a message, nor does any raise something else."""
    for length in range(len(data)):
        with pytest.raises(Malformed):
            decode(data[:length])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "an empty message"),
        (b"Zabc", "unknown kind 0x5a"),
        (b"I" + OID + b"K" + row(text("a")), "row of kind 0x4b"),
        (b"I" + OID + b"N" + row(b"x"), "value of kind 0x78"),
        (b"I" + OID + b"N" + row(b"t" + struct.pack(">I", 9) + b"short"), "past the end"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, says: str) -> None:
    """Bytes that are no message are refused with what is wrong about them."""
    with pytest.raises(Malformed, match=says):
        decode(data)
