"""The inserted rows of the last seconds, for subscriptions that come a moment too late; no I/O, the clock is given.

A client that joins the matchmaking and subscribes afterwards misses the session that was made in between. So what the
log told of in the last `replay_window` seconds is kept, and a new subscription by an `eq` filter is told of it. Kept in
memory it costs little: one append for an insertion that nobody asks for (it is not even decoded), and one look-up in a
dictionary for a subscription, of which a thousand come in a second. A query of the table, cheap as it is by an index,
would be a round trip for each of them. Only where something is found is PostgreSQL asked, whether the row still stands
as it was inserted and may be seen (`gurukul.realtime_standing`, and the question that every change has to pass).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from reference_server.realtime.pgoutput import Begin, Insert, Relation, Row, decode
from reference_server.realtime.tables import Change, Table

MOST_BYTES = 16_000_000
"""Of the log at most so much is kept; beyond it the oldest goes before its time."""
_OVERHEAD = 400


@dataclass(slots=True, eq=False)
class Inserted:
    """One insertion as the log has it, the `number`th that was kept; it is decoded when it is first looked at."""

    relation: Relation
    begin: bytes
    data: bytes
    until: float
    number: int
    _row: Row | None = None

    @property
    def row(self) -> Row:
        """The values of the row."""
        if self._row is None:
            insert = decode(self.data)
            assert isinstance(insert, Insert)  # noqa: S101 — nothing else is kept
            self._row = insert.new
        return self._row

    def value(self, column: str) -> str | None:
        """A column's value; None also where the table has no such column."""
        for at, one in enumerate(self.relation.columns):
            if one.name == column:
                value = self.row[at]
                return value if isinstance(value, str) else None
        return None

    def change(self, table: Table) -> Change:
        """The insertion as a change of its table."""
        begin = decode(self.begin)
        assert isinstance(begin, Begin)  # noqa: S101 — nothing else is kept
        return Change(table, "INSERT", self.row, None, begin.commit_lsn, begin.committed_us, begin.xid)

    @property
    def size(self) -> int:
        return len(self.data) + _OVERHEAD


@dataclass(slots=True)
class _Place:
    """What is kept of one table: all of it, and by the values of those columns that were asked for."""

    kept: deque[Inserted] = field(default_factory=deque)
    by_value: dict[str, dict[str, list[Inserted]]] = field(default_factory=dict)
    unsorted: deque[Inserted] = field(default_factory=deque)

    def add(self, one: Inserted) -> None:
        self.kept.append(one)
        self.unsorted.append(one)

    def drop_oldest(self) -> None:
        gone = self.kept.popleft()
        if self.unsorted and self.unsorted[0] is gone:
            self.unsorted.popleft()
            return
        for column, values in self.by_value.items():
            value = gone.value(column)
            if value is not None:
                values[value].remove(gone)
                if not values[value]:
                    del values[value]

    def find(self, column: str, value: str) -> list[Inserted]:
        while self.unsorted:
            one = self.unsorted.popleft()
            for name, by_value in self.by_value.items():
                _sort_in(by_value, one, name)
        if column not in self.by_value:
            by_value = self.by_value[column] = {}
            for one in self.kept:
                _sort_in(by_value, one, column)
        return self.by_value[column].get(value, [])


def _sort_in(by_value: dict[str, list[Inserted]], one: Inserted, column: str) -> None:
    value = one.value(column)
    if value is not None:
        by_value.setdefault(value, []).append(one)


class Recent:
    """The insertions of the last `window` seconds, by table and value."""

    def __init__(self, window: float, most_bytes: int = MOST_BYTES) -> None:
        self._window: Final = window
        self._most: Final = most_bytes
        self._places: dict[tuple[str, str], _Place] = {}
        self._order: deque[Inserted] = deque()
        self._bytes = 0
        self._added = 0

    def __len__(self) -> int:
        return len(self._order)

    def add(self, relation: Relation, begin: bytes, data: bytes, now: float) -> None:
        """Keeps an insertion: its table, and as they came the beginning of its transaction and its message."""
        self._added += 1
        one = Inserted(relation, begin, data, now + self._window, self._added)
        self._places.setdefault((relation.schema, relation.name), _Place()).add(one)
        self._order.append(one)
        self._bytes += one.size
        self._expire(now)

    def find(self, schema: str, table: str, column: str, value: str, now: float) -> list[Inserted]:
        """What was inserted into the table with that value in that column, not longer ago than the window."""
        self._expire(now)
        place = self._places.get((schema, table))
        return list(place.find(column, value)) if place else []

    def clear(self) -> None:
        """Forgets everything."""
        self._places.clear()
        self._order.clear()
        self._bytes = 0

    def _expire(self, now: float) -> None:
        while self._order and (self._order[0].until < now or self._bytes > self._most):
            gone = self._order.popleft()
            self._bytes -= gone.size
            place = gone.relation.schema, gone.relation.name
            self._places[place].drop_oldest()
            if not self._places[place].kept:
                del self._places[place]
