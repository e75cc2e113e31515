"""What the change feed must know of a table, and one change of one row, ready to be filtered and told; no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

from reference_server.realtime.pgoutput import Relation, Row, Unchanged
from reference_server.realtime.rows import Encoder, encode_object, encoder

Kind = Literal["INSERT", "UPDATE", "DELETE"]
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Table:
    """A published table: the log's relation together with what the catalogue says of it.

    `key` holds the positions of the primary key's columns, `visibility` the query that tells which keys subscribers
    see (`gurukul.realtime_prepare`), `positions` the place of each column by name.
    """

    relation: Relation
    type_names: tuple[str, ...]
    key: tuple[int, ...]
    row_security: bool
    visibility: str
    positions: dict[str, int] = field(init=False, repr=False, compare=False)
    columns_json: bytes = field(init=False, repr=False, compare=False)
    _fields: tuple[tuple[bytes, Encoder], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [column.name for column in self.relation.columns]
        described = [{"name": name, "type": kind} for name, kind in zip(names, self.type_names, strict=True)]
        fields = tuple((orjson.dumps(name), encoder(kind)) for name, kind in zip(names, self.type_names, strict=True))
        for name, value in (
            ("positions", {name: position for position, name in enumerate(names)}),
            ("columns_json", orjson.dumps(described)),
            ("_fields", fields),
        ):
            object.__setattr__(self, name, value)

    @property
    def schema(self) -> str:
        return self.relation.schema

    @property
    def name(self) -> str:
        return self.relation.name

    def encode(self, row: Row, positions: tuple[int, ...] | None = None) -> bytes:
        """The row (or the given columns of it) as a JSON object."""
        chosen = range(len(self._fields)) if positions is None else positions
        return encode_object((*self._fields[at], row[at]) for at in chosen)

    def key_text(self, row: Row) -> str:
        """The row's primary key as the visibility query takes it: the value itself, or a JSON array of several."""
        values: list[Any] = [row[at] for at in self.key]
        return str(values[0]) if len(values) == 1 else orjson.dumps(values).decode()


@dataclass(slots=True, eq=False)
class Change:
    """One change of one row, as the log tells it. `old` holds what the replica identity keeps, the rest None."""

    table: Table
    kind: Kind
    new: Row | None
    old: Row | None
    commit_lsn: int
    committed_us: int
    xid: int
    _data: bytes | None = None

    @property
    def row(self) -> Row:
        """What filters look at: the row as it is now, or, when it is gone, what is known of it."""
        row = self.new if self.new is not None else self.old
        assert row is not None  # noqa: S101 — every kind of change has one of the two
        return row

    def value(self, column: str) -> str | None:
        """A column's value; None also when the table has no such column or the log does not hold it."""
        at = self.table.positions.get(column)
        value = None if at is None else self.row[at]
        return None if value is Unchanged.TOAST else value

    def data(self) -> bytes:
        """The `data` object of the change's frame, encoded once (PROTOCOL 1.5)."""
        if self._data is None:
            self._data = self._encode()
        return self._data

    def _encode(self) -> bytes:
        table = self.table
        head = b'{"schema":%b,"table":%b,"type":"%b","commit_timestamp":"%b","columns":%b,' % (
            orjson.dumps(table.schema),
            orjson.dumps(table.name),
            self.kind.encode(),
            commit_timestamp(self.committed_us).encode(),
            table.columns_json,
        )
        record = b"" if self.new is None else b'"record":' + table.encode(self.new) + b","
        old = b"" if self.kind == "INSERT" else b'"old_record":' + self._old_record() + b","
        return head + record + old + b'"errors":null}'

    def _old_record(self) -> bytes:
        # PROTOCOL 1.5, RLS semantics 3 and 4.
        table, full = self.table, self.table.relation.identity == "f"
        if self.kind == "DELETE" and full:
            full = not table.row_security
        return table.encode(self.old or self.row, None if full else table.key)


def commit_timestamp(microseconds: int) -> str:
    """A commit's time (microseconds since 2000-01-01 UTC) as the wire writes it, in milliseconds."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
