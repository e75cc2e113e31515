"""Decodes the messages of PostgreSQL's built-in logical decoding plugin `pgoutput`, protocol version 1; no I/O.

Source: PostgreSQL 18 documentation, section 54.9 "Logical Replication Message Formats". Values stay the text that the
type's output function made; `rows` turns them into JSON.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal


class Unchanged(Enum):
    """A value that an UPDATE left alone and that lies out of line (TOAST): the log does not hold it."""

    TOAST = auto()


Value = str | None | Literal[Unchanged.TOAST]
Row = tuple[Value, ...]
"""One row, in the order of its relation's columns."""


class Malformed(ValueError):
    """Bytes that are no message of this protocol version."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation: `key` says whether it belongs to the replica identity."""

    name: str
    type_oid: int
    modifier: int
    key: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as it is now; comes before its first change in each read. `identity` is pg_class.relreplident."""

    oid: int
    schema: str
    name: str
    identity: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """A committed transaction: position of its commit, when (microseconds since 2000-01-01 UTC), id (32 bits)."""

    commit_lsn: int
    committed_us: int
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """The end of that transaction. Positions are bytes in the write-ahead log."""

    commit_lsn: int
    end_lsn: int
    committed_us: int


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row."""

    relation: int
    new: Row


@dataclass(frozen=True, slots=True)
class Update:
    """A changed row; `old` is None unless the key changed (only the key is set then) or the identity is full."""

    relation: int
    old: Row | None
    new: Row


@dataclass(frozen=True, slots=True)
class Delete:
    """A deleted row: the columns of its replica identity, the others None."""

    relation: int
    old: Row


@dataclass(frozen=True, slots=True)
class Truncate:
    """Emptied tables."""

    relations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Type:
    """The name of a type that is not built in."""

    oid: int
    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a replicated transaction was made first."""

    lsn: int
    name: str


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody wrote into the log with `pg_logical_emit_message`; `prefix` says for whom."""

    lsn: int
    prefix: str
    content: bytes


Message = Told | Relation | Begin | Commit | Insert | Update | Delete | Truncate | Type | Origin

_BEGIN = struct.Struct(">QqI")
_COMMIT = struct.Struct(">BQQq")
_TOLD = struct.Struct(">BQ")
_COLUMN = struct.Struct(">Ii")
_U32 = struct.Struct(">I")
_U16 = struct.Struct(">H")
_U64 = struct.Struct(">Q")


class _Reader:
    """Walks through one message."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 1

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        fields = layout.unpack_from(self.data, self.at)
        self.at += layout.size
        return fields

    def byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def text(self) -> str:
        end = self.data.index(0, self.at)
        start, self.at = self.at, end + 1
        return self.data[start:end].decode()

    def row(self) -> Row:
        data, (count,) = self.data, self.unpack(_U16)
        at, values = self.at, list[Value]()
        for _ in range(count):
            kind = data[at]
            at += 1
            if kind == 0x74:  # t: text, with its length
                start = at + 4
                at = start + _U32.unpack_from(data, at)[0]
                if at > len(data):
                    raise Malformed("a value runs past the end of its message")
                values.append(data[start:at].decode())
            elif kind == 0x6E:  # n: null
                values.append(None)
            elif kind == 0x75:  # u: unchanged and out of line
                values.append(Unchanged.TOAST)
            else:
                raise Malformed(f"value of kind {kind:#x}")
        self.at = at
        return tuple(values)

    def expect(self, kinds: bytes) -> int:
        kind = self.byte()
        if kind not in kinds:
            raise Malformed(f"row of kind {kind:#x} where one of {kinds!r} must stand")
        return kind


def decode(data: bytes) -> Message:
    """Decodes one message.

    Raises:
        Malformed: unknown kind, or a message cut short.
    """
    if not data:
        raise Malformed("an empty message")
    parse = _PARSERS.get(data[0])
    if parse is None:
        raise Malformed(f"message of unknown kind {data[0]:#x}")
    try:
        return parse(_Reader(data))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Malformed(f"message {chr(data[0])} of {len(data)} bytes: {error}") from error
    except ValueError as error:
        if isinstance(error, Malformed):
            raise
        raise Malformed(f"message {chr(data[0])}: a text without its end") from error


def relation_of(data: bytes) -> int:
    """The table that an Insert, Update or Delete is about; the rest of the message is not read.

    Raises:
        Malformed: a message cut short.
    """
    if len(data) < 1 + _U32.size:
        raise Malformed(f"a change of {len(data)} bytes")
    found: int = _U32.unpack_from(data, 1)[0]
    return found


def _begin(reader: _Reader) -> Begin:
    return Begin(*reader.unpack(_BEGIN))


def _commit(reader: _Reader) -> Commit:
    _flags, commit_lsn, end_lsn, committed_us = reader.unpack(_COMMIT)
    return Commit(commit_lsn, end_lsn, committed_us)


def _relation(reader: _Reader) -> Relation:
    (oid,) = reader.unpack(_U32)
    schema, name, identity = reader.text(), reader.text(), chr(reader.byte())
    (count,) = reader.unpack(_U16)
    columns = tuple(_column(reader) for _ in range(count))
    return Relation(oid, schema or "pg_catalog", name, identity, columns)


def _column(reader: _Reader) -> Column:
    key = bool(reader.byte() & 1)
    name = reader.text()
    type_oid, modifier = reader.unpack(_COLUMN)
    return Column(name, type_oid, modifier, key)


def _insert(reader: _Reader) -> Insert:
    (relation,) = reader.unpack(_U32)
    reader.expect(b"N")
    return Insert(relation, reader.row())


def _update(reader: _Reader) -> Update:
    (relation,) = reader.unpack(_U32)
    old: Row | None = None
    if reader.expect(b"KON") != 0x4E:
        old = reader.row()
        reader.expect(b"N")
    return Update(relation, old, reader.row())


def _delete(reader: _Reader) -> Delete:
    (relation,) = reader.unpack(_U32)
    reader.expect(b"KO")
    return Delete(relation, reader.row())


def _truncate(reader: _Reader) -> Truncate:
    (count,) = reader.unpack(_U32)
    reader.byte()
    return Truncate(tuple(reader.unpack(_U32)[0] for _ in range(count)))


def _type(reader: _Reader) -> Type:
    (oid,) = reader.unpack(_U32)
    return Type(oid, reader.text() or "pg_catalog", reader.text())


def _told(reader: _Reader) -> Told:
    _flags, lsn = reader.unpack(_TOLD)
    prefix = reader.text()
    (length,) = reader.unpack(_U32)
    content = reader.data[reader.at : reader.at + length]
    if len(content) < length:
        raise Malformed("content runs past the end of its message")
    return Told(lsn, prefix, content)


def _origin(reader: _Reader) -> Origin:
    (lsn,) = reader.unpack(_U64)
    return Origin(lsn, reader.text())


_PARSERS: dict[int, Callable[[_Reader], Message]] = {
    ord("B"): _begin,
    ord("C"): _commit,
    ord("R"): _relation,
    ord("I"): _insert,
    ord("U"): _update,
    ord("D"): _delete,
    ord("T"): _truncate,
    ord("Y"): _type,
    ord("O"): _origin,
    ord("M"): _told,
}
