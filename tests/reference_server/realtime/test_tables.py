"""One change as its frame's data: which row, which columns, which time."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from reference_server.realtime.changes import assemble
from reference_server.realtime.pgoutput import Begin, Column, Commit, Delete, Insert, Relation, Row, Unchanged, Update
from reference_server.realtime.tables import Change, Kind, Table, commit_timestamp

COLUMNS = (Column("id", 23, -1, True), Column("name", 25, -1, False))


def table(identity: str = "d", row_security: bool = True) -> Table:
    return Table(Relation(1, "public", "t", identity, COLUMNS), ("int4", "text"), (0,), row_security, "")


def data(of: Table, kind: Kind, new: Row | None, old: Row | None) -> dict[str, Any]:
    decoded: dict[str, Any] = orjson.loads(Change(of, kind, new, old, 1, 0, 1).data())
    return decoded


def test_an_insert_has_a_record_alone() -> None:
    """INSERT: record, the columns in their order, errors null, and no old_record."""
    assert data(table(), "INSERT", ("1", None), None) == {
        "schema": "public",
        "table": "t",
        "type": "INSERT",
        "commit_timestamp": "2000-01-01T00:00:00.000Z",
        "columns": [{"name": "id", "type": "int4"}, {"name": "name", "type": "text"}],
        "record": {"id": 1, "name": None},
        "errors": None,
    }


@pytest.mark.parametrize(
    ("of", "old", "wanted"),
    [
        (table(), None, {"id": 1}),
        (table(), ("0", None), {"id": 0}),
        (table("f"), ("1", "before"), {"id": 1, "name": "before"}),
    ],
    ids=["key unchanged", "key changed", "full identity"],
)
def test_an_updates_old_record_is_the_key_unless_the_identity_is_full(of: Table, old: Row, wanted: Any) -> None:
    """UPDATE: record and old_record, the latter only the key except under REPLICA IDENTITY FULL."""
    made = data(of, "UPDATE", ("1", "after"), old)
    assert (made["record"], made["old_record"]) == ({"id": 1, "name": "after"}, wanted)


@pytest.mark.parametrize(
    ("of", "wanted"),
    [
        (table(), {"id": 1}),
        (table("f"), {"id": 1}),
        (table("f", row_security=False), {"id": 1, "name": "gone"}),
    ],
    ids=["key", "full, guarded", "full, open"],
)
def test_a_delete_shows_a_guarded_row_by_its_key_alone(of: Table, wanted: Any) -> None:
    """DELETE: old_record alone; with row-level security it never has more than the key."""
    made = data(of, "DELETE", None, ("1", "gone"))
    assert made["old_record"] == wanted
    assert "record" not in made


def test_times_are_milliseconds_in_utc() -> None:
    """Microseconds since 2000 become an ISO time with three places and Z."""
    assert commit_timestamp(812_345_678_901_234) == "2025-09-28T03:34:38.901Z"


def test_messages_become_changes_in_commit_order() -> None:
    """Each change carries its transaction's position, time and id; tables that are not known are left out."""
    known = table()
    messages = [
        Begin(5, 100, 7), known.relation, Insert(1, ("1", "a")), Insert(2, ("9",)), Commit(5, 6, 100),
        Begin(8, 200, 9), Update(1, None, ("1", "b")), Delete(1, ("1", None)), Commit(8, 9, 200),
    ]  # fmt: skip
    made = assemble(messages, {1: known})
    assert [(c.kind, c.row, c.commit_lsn, c.committed_us, c.xid) for c in made] == [
        ("INSERT", ("1", "a"), 5, 100, 7),
        ("UPDATE", ("1", "b"), 8, 200, 9),
        ("DELETE", ("1", None), 8, 200, 9),
    ]


def test_what_an_update_left_alone_comes_from_the_old_row_where_that_is_known() -> None:
    """A large value that was not written anew is not in the log: only a full identity has it."""
    messages = [Begin(1, 1, 1), Update(1, ("1", "large"), ("1", Unchanged.TOAST))]
    assert assemble(messages, {1: table("f")})[0].new == ("1", "large")
    assert assemble(messages, {1: table("d")})[0].new == ("1", Unchanged.TOAST)


def test_keys_of_several_columns_are_asked_for_as_json() -> None:
    """A single key column goes as it is, several go as a JSON array of texts."""
    both = Table(Relation(1, "public", "t", "d", COLUMNS), ("int4", "text"), (0, 1), True, "")
    assert table().key_text(("1", "x")) == "1"
    assert both.key_text(("1", 'x"')) == '["1","x\\""]'
