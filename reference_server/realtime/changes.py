"""Puts the messages of one read of the log together into changes of rows; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reference_server.realtime.pgoutput import Begin, Delete, Insert, Message, Row, Unchanged, Update
from reference_server.realtime.tables import Change, Table


def assemble(messages: Iterable[Message], tables: Mapping[int, Table]) -> list[Change]:
    """The changes of rows among the messages, in commit order.

    Args:
        messages: whole transactions.
        tables: what is known of each table by its oid; changes of other tables are left out.
    """
    changes: list[Change] = []
    begin = Begin(0, 0, 0)
    for message in messages:
        if isinstance(message, Begin):
            begin = message
        elif isinstance(message, (Insert, Update, Delete)) and message.relation in tables:
            changes.append(_change(message, tables[message.relation], begin))
    return changes


def _change(message: Insert | Update | Delete, table: Table, begin: Begin) -> Change:
    at = (begin.commit_lsn, begin.committed_us, begin.xid)
    if isinstance(message, Insert):
        return Change(table, "INSERT", message.new, None, *at)
    if isinstance(message, Delete):
        return Change(table, "DELETE", None, message.old, *at)
    return Change(table, "UPDATE", _filled(message.new, message.old, table), message.old, *at)


def _filled(new: Row, old: Row | None, table: Table) -> Row:
    """Takes values that the UPDATE left alone from the old row, where the log holds the whole of it."""
    if old is None or table.relation.identity != "f" or Unchanged.TOAST not in new:
        return new
    return tuple(before if value is Unchanged.TOAST else value for value, before in zip(new, old, strict=True))
