"""What is kept of the last insertions: found by value for as long as the window lasts, and bounded."""

from __future__ import annotations

import struct

from reference_server.realtime.pgoutput import Column, Relation
from reference_server.realtime.recent import Recent
from reference_server.realtime.tables import Table

RELATION = Relation(7, "public", "t", "d", (Column("id", 23, -1, True), Column("who", 25, -1, False)))
BEGIN = b"B" + struct.pack(">QqI", 100, 5, 9)


def insert(*values: str | None) -> bytes:
    row = b"".join(b"n" if one is None else b"t" + struct.pack(">I", len(one)) + one.encode() for one in values)
    return b"I" + struct.pack(">I", 7) + b"N" + struct.pack(">H", len(values)) + row


def found(recent: Recent, column: str, value: str, now: float) -> list[str | None]:
    return [one.value("id") for one in recent.find("public", "t", column, value, now)]


def test_rows_are_found_by_any_column_in_their_order() -> None:
    """A column is searched from the moment that it is first asked for; what came before and after is found alike."""
    recent = Recent(5.0)
    recent.add(RELATION, BEGIN, insert("1", "a"), 0.0)
    recent.add(RELATION, BEGIN, insert("2", "b"), 0.0)
    assert found(recent, "who", "a", 1.0) == ["1"]
    recent.add(RELATION, BEGIN, insert("3", "a"), 1.0)
    assert (found(recent, "who", "a", 1.0), found(recent, "id", "2", 1.0)) == (["1", "3"], ["2"])
    recent.add(RELATION, BEGIN, insert("4", None), 1.0)
    assert (found(recent, "id", "4", 1.0), found(recent, "who", "c", 1.0), found(recent, "none", "a", 1.0)) == (
        ["4"], [], [],
    )  # fmt: skip
    assert recent.find("public", "other", "who", "a", 1.0) == []


def test_the_window_ends() -> None:
    """What is older than the window is gone, whether it was looked at or not, and leaves nothing behind."""
    recent = Recent(5.0)
    for at in range(4):
        recent.add(RELATION, BEGIN, insert(str(at), "a"), float(at))
        if at == 1:
            assert found(recent, "who", "a", 1.0) == ["0", "1"]
    assert found(recent, "who", "a", 5.0) == ["0", "1", "2", "3"]
    assert found(recent, "who", "a", 7.5) == ["3"]
    assert found(recent, "who", "a", 8.5) == []
    assert (len(recent), recent._places) == (0, {})


def test_memory_is_bounded() -> None:
    """Beyond so many bytes the oldest goes before its time."""
    recent = Recent(5.0, most_bytes=10_000)
    for at in range(100):
        recent.add(RELATION, BEGIN, insert(str(at), "x" * 600), 0.0)
    kept = [one.value("id") for one in recent.find("public", "t", "who", "x" * 600, 0.0)]
    assert kept == [str(at) for at in range(100 - len(kept), 100)]
    assert 5 < len(kept) < 17


def test_an_insertion_becomes_a_change() -> None:
    """With the position, time and number of its transaction."""
    recent = Recent(5.0)
    recent.add(RELATION, BEGIN, insert("1", "a"), 0.0)
    (one,) = recent.find("public", "t", "who", "a", 0.0)
    made = one.change(Table(RELATION, ("int4", "text"), (0,), True, ""))
    assert (made.kind, made.new, made.commit_lsn, made.committed_us, made.xid) == ("INSERT", ("1", "a"), 100, 5, 9)
    recent.clear()
    assert (len(recent), recent.find("public", "t", "who", "a", 0.0)) == (0, [])
