"""What the change feed must know of a table, and one change of one row, ready to be filtered and told; no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson

from reference_server.realtime.pgoutput import Relation, Row, Unchanged
from reference_server.realtime.rows import Encoder, encode_object, encoder

Kind = Literal["INSERT", "UPDATE", "DELETE"]
_EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 — UTC, written without its offset

MAX_ROW = 1_048_576
"""Bytes of a row beyond which only its short fields are told (PROTOCOL 1.5, RLS semantics 6)."""
SHORT_FIELD = 64
_TOO_LARGE = b'"errors":["Error 413: Payload Too Large"]'


@dataclass(frozen=True, slots=True)
class View:
    """What of a change somebody gets: columns by position (None: all of them), and the error that stands instead."""

    positions: tuple[int, ...] | None = None
    error: str = ""


_WHOLE = View()


@dataclass(frozen=True, slots=True)
class Table:
    """A published table: the log's relation together with what the catalogue says of it.

    `key` holds the positions of the primary key's columns, `visibility` the query that tells which keys subscribers
    see (`gurukul.realtime_prepare`), `positions` the place of each column by name. `readable` holds for each role the
    positions of the columns that it may select; a role that is not in it may select all.
    """

    relation: Relation
    type_names: tuple[str, ...]
    key: tuple[int, ...]
    row_security: bool
    visibility: str
    readable: dict[str, tuple[int, ...]] = field(default_factory=dict, compare=False)
    positions: dict[str, int] = field(init=False, repr=False, compare=False)
    _described: tuple[bytes, ...] = field(init=False, repr=False, compare=False)
    _fields: tuple[tuple[bytes, Encoder], ...] = field(init=False, repr=False, compare=False)
    _views: dict[tuple[str, tuple[str, ...] | None, bool], View] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        names = [column.name for column in self.relation.columns]
        pairs = list(zip(names, self.type_names, strict=True))
        for name, value in (
            ("positions", {name: position for position, name in enumerate(names)}),
            ("_described", tuple(orjson.dumps({"name": name, "type": kind}) for name, kind in pairs)),
            ("_fields", tuple((orjson.dumps(name), encoder(kind)) for name, kind in pairs)),
        ):
            object.__setattr__(self, name, value)

    def view(self, role: str, select: tuple[str, ...] | None, kind: Kind) -> View:
        """What a role gets that asked for these columns (PROTOCOL 1.5, RLS semantics 6)."""
        gone = kind == "DELETE"
        found = self._views.get((role, select, gone))
        if found is None:
            found = self._views[role, select, gone] = self._view(role, select, gone=gone)
        return found

    def _view(self, role: str, select: tuple[str, ...] | None, *, gone: bool) -> View:
        readable = self.readable.get(role)
        if not gone and self.row_security and not self.key:
            return View((), "Error 400: Bad Request, no primary key")
        if not gone and readable is not None and not set(self.key) <= set(readable):
            return View((), "Error 401: Unauthorized")
        if select is None:
            return View(readable)
        wanted = {self.positions[name] for name in select if name in self.positions}
        return View(tuple(at for at in sorted(wanted) if readable is None or at in readable))

    def columns_json(self, positions: tuple[int, ...] | None) -> bytes:
        """The names and types of the columns, as a JSON array."""
        described = self._described if positions is None else [self._described[at] for at in positions]
        return b"[" + b",".join(described) + b"]"

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
    _data: dict[View, bytes] = field(default_factory=dict)

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

    def knows(self, column: str) -> bool:
        """Whether the log holds the column's value, be it null."""
        at = self.table.positions.get(column)
        if at is None or self.row[at] is Unchanged.TOAST:
            return False
        return self.new is not None or self.table.relation.identity == "f" or at in self.table.key

    def data(self, view: View = _WHOLE) -> bytes:
        """The `data` object of the change's frame, encoded once for each view (PROTOCOL 1.5)."""
        found = self._data.get(view)
        if found is None:
            found = self._data[view] = self._encode(view)
        return found

    def _encode(self, view: View) -> bytes:
        if view.error:
            return self._head(()) + b'"errors":' + orjson.dumps([view.error]) + b"}"
        if self._is_too_large():
            return self._head(view.positions) + self._rows(view.positions, short=True) + _TOO_LARGE + b"}"
        return self._head(view.positions) + self._rows(view.positions, short=False) + b'"errors":null}'

    def _head(self, positions: tuple[int, ...] | None) -> bytes:
        return b'{"schema":%b,"table":%b,"type":"%b","commit_timestamp":"%b","columns":%b,' % (
            orjson.dumps(self.table.schema),
            orjson.dumps(self.table.name),
            self.kind.encode(),
            commit_timestamp(self.committed_us).encode(),
            self.table.columns_json(positions),
        )

    def _rows(self, positions: tuple[int, ...] | None, *, short: bool) -> bytes:
        record = old = b""
        if self.new is not None:
            record = b'"record":' + self._object(self.new, positions, short=short) + b","
        if self.kind != "INSERT":
            kept = self._kept()
            if kept is not None and positions is not None:
                kept = tuple(at for at in kept if at in positions)
            row = self.old or self.row
            old = b'"old_record":' + self._object(row, positions if kept is None else kept, short=short) + b","
        return record + old

    def _kept(self) -> tuple[int, ...] | None:
        # PROTOCOL 1.5, RLS semantics 3 and 4: the key alone, except where the log holds the whole old row.
        full = self.table.relation.identity == "f"
        if self.kind == "DELETE" and full:
            full = not self.table.row_security
        return None if full else self.table.key

    def _object(self, row: Row, positions: tuple[int, ...] | None, *, short: bool) -> bytes:
        if short:
            chosen = range(len(row)) if positions is None else positions
            positions = tuple(at for at in chosen if isinstance(row[at], str) and _length(row[at]) <= SHORT_FIELD)
        return self.table.encode(row, positions)

    def _is_too_large(self) -> bool:
        rows = [row for row in (self.new, self.old) if row is not None]
        return sum(_length(value) for row in rows for value in row) > MAX_ROW


def _length(value: Any) -> int:
    if not isinstance(value, str):
        return 0
    return len(value) if value.isascii() else len(value.encode())


def commit_timestamp(microseconds: int) -> str:
    """A commit's time (microseconds since 2000-01-01 UTC) as the wire writes it, in milliseconds."""
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="milliseconds") + "Z"
