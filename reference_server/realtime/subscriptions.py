"""Who wants which changes: bindings, and the index that finds a change's candidates without asking all; no I/O."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import orjson

from reference_server.realtime.filters import Condition, FilterError, compile_condition, parse_filter
from reference_server.realtime.tables import Change, Kind

Owner = TypeVar("Owner")

KINDS: tuple[Kind, ...] = ("INSERT", "UPDATE", "DELETE")
_ID_MASK = 2**27 - 1


@dataclass(frozen=True, slots=True)
class Binding:
    """One entry of a join's `postgres_changes`.

    `kind`, `schema` and `table` are None for all of them. `select` are the columns that are wanted, None for all.
    """

    id: int
    kind: Kind | None
    schema: str | None
    table: str | None
    conditions: tuple[Condition, ...] = ()
    select: tuple[str, ...] | None = None

    def describe(self) -> str:
        """The binding as the real server's error messages print it (PROTOCOL 1.4)."""
        filters = ", ".join(condition.describe() for condition in self.conditions)
        place = f"schema: {self.schema or '*'}, table: {self.table or '*'}"
        columns = "nil" if self.select is None else "[" + ", ".join(f'"{name}"' for name in self.select) + "]"
        return f"[event: {self.kind or '*'}, {place}, filters: [{filters}], select: {columns}]"

    @property
    def asks(self) -> bool:
        """Whether PostgreSQL must be asked about each change."""
        return any(condition.asked for condition in self.conditions)

    @property
    def anchor(self) -> Condition | None:
        """The condition by which insertions from before the subscription are looked for; None: there is no replay."""
        if self.kind != "INSERT" or self.asks:
            return None
        return next((one for one in self.conditions if one.op == "eq" and one.indexable), None)


def binding_id(params: dict[str, Any]) -> int:
    """The id that the join's reply gives a binding: 0 … 2^27-1, the same for the same parameters."""
    return zlib.crc32(orjson.dumps(params, option=orjson.OPT_SORT_KEYS)) & _ID_MASK


def parse_binding(params: dict[str, Any]) -> Binding:
    """Reads a binding: `event` in any case (anything else is all), without `schema` public, without `table` all.

    Raises:
        FilterError: it cannot be read; the text is what the client is told.
    """
    event, schema, table, text = (params.get(name) for name in ("event", "schema", "table", "filter"))
    texts_only = all(value is None or isinstance(value, str) for value in (schema, table, text))
    if not texts_only or (schema is None and table is None) or (text is not None and table is None):
        shown = orjson.dumps(params).decode()
        raise FilterError(
            "No subscription params provided. Please provide at least a `schema` or `table` to subscribe to: " + shown
        )
    kind = event.upper() if isinstance(event, str) else "*"
    select = _parse_select(params.get("select"))
    binding = Binding(
        id=binding_id(params),
        kind=kind if kind in KINDS else None,
        schema=None if schema == "*" else sys.intern(schema or "public"),
        table=None if table in {None, "", "*"} else sys.intern(str(table)),
        conditions=parse_filter(text),
        select=select,
    )
    if select is not None and (binding.schema is None or binding.table is None):
        raise FilterError(
            "Column selection is not supported for wildcard subscriptions. Provide an explicit schema and table name."
        )
    return binding


def _parse_select(select: Any) -> tuple[str, ...] | None:
    if isinstance(select, str):
        raise FilterError(
            'Error parsing `select` params: expected a list of column name strings, e.g. select: ["col1", "col2"]'
        )
    names = tuple(name for name in select if isinstance(name, str)) if isinstance(select, list) else ()
    return names or None


@dataclass(slots=True, eq=False)
class Subscription(Generic[Owner]):
    """A binding in force for its owner, for changes whose commit lies at or behind `since` in the log.

    One that `replays` is told of earlier ones as well, if their rows still stand.
    """

    owner: Owner
    binding: Binding
    since: int
    replays: bool = False
    _tests: tuple[tuple[str, Callable[[str], bool], bool], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        conditions = self.binding.conditions
        self._tests = tuple((one.column, compile_condition(one), one.takes_null) for one in conditions)

    @property
    def asked(self) -> tuple[Condition, ...]:
        """The conditions that PostgreSQL must be asked about when the others hold."""
        return tuple(condition for condition in self.binding.conditions if condition.asked)

    def wants(self, change: Change) -> bool:
        """Whether the change passes kind, position and every condition that can be decided here.

        A null passes where the condition takes it, a value that the log does not hold passes none.
        """
        if self.binding.kind not in {None, change.kind} or (change.commit_lsn < self.since and not self.replays):
            return False
        for column, test, takes_null in self._tests:
            value = change.value(column)
            if not (takes_null and change.knows(column) if value is None else test(value)):
                return False
        return True


class _Shelf(Generic[Owner]):
    """The subscriptions to one table (or to all of a schema's): by a column's value where a condition allows it."""

    __slots__ = ("by_value", "others")

    def __init__(self) -> None:
        # Most values have one subscription: it stands there itself, since a dict for each would cost more than it.
        self.by_value: dict[str, dict[str, Subscription[Owner] | dict[Subscription[Owner], None]]] = {}
        self.others: dict[Subscription[Owner], None] = {}

    def __bool__(self) -> bool:
        return bool(self.others) or any(self.by_value.values())

    def add(self, subscription: Subscription[Owner]) -> None:
        condition = _index_condition(subscription)
        if condition is None:
            self.others[subscription] = None
            return
        values = self.by_value.setdefault(condition.column, {})
        for value in condition.values:
            found = values.setdefault(value, subscription)
            if isinstance(found, dict):
                found[subscription] = None
            elif found is not subscription:
                values[value] = {found: None, subscription: None}

    def remove(self, subscription: Subscription[Owner]) -> None:
        self.others.pop(subscription, None)
        condition = _index_condition(subscription)
        values = self.by_value.get(condition.column, {}) if condition else {}
        for value in condition.values if condition else ():
            found = values.get(value)
            if isinstance(found, dict):
                found.pop(subscription, None)
            if found is subscription or found == {}:
                del values[value]

    def find(self, change: Change) -> Iterator[Subscription[Owner]]:
        yield from self.others
        for column, values in self.by_value.items():
            value = change.value(column)
            found = None if value is None else values.get(value)
            if isinstance(found, dict):
                yield from found
            elif found is not None:
                yield found


def _index_condition(subscription: Subscription[Any]) -> Condition | None:
    return next((condition for condition in subscription.binding.conditions if condition.indexable), None)


class SubscriptionIndex(Generic[Owner]):
    """Every subscription of this process, by owner, and by what a change must look like to concern it.

    Where it `replays`, subscriptions to insertions by an `eq` filter are told of earlier ones, too.
    """

    def __init__(self, *, replays: bool = False) -> None:
        self._replays = replays
        self._shelves: dict[tuple[str | None, str | None], _Shelf[Owner]] = {}
        self._by_owner: dict[Owner, list[Subscription[Owner]]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_owner)

    def __len__(self) -> int:
        return sum(len(subscriptions) for subscriptions in self._by_owner.values())

    def replace(self, owner: Owner, bindings: tuple[Binding, ...], since: int) -> None:
        """Puts the owner's subscriptions in the place of those it had, whose position they keep."""
        since = min([since, *(former.since for former in self._by_owner.get(owner, ()))])
        self.remove(owner)
        subscriptions = [Subscription(owner, one, since, self._replays and one.anchor is not None) for one in bindings]
        for subscription in subscriptions:
            place = (subscription.binding.schema, subscription.binding.table)
            self._shelves.setdefault(place, _Shelf()).add(subscription)
        if subscriptions:
            self._by_owner[owner] = subscriptions

    def remove(self, owner: Owner) -> None:
        """Ends the owner's subscriptions, if it has any."""
        for subscription in self._by_owner.pop(owner, ()):
            self._shelves[subscription.binding.schema, subscription.binding.table].remove(subscription)

    def __contains__(self, owner: Owner) -> bool:
        return owner in self._by_owner

    def of(self, owner: Owner) -> Sequence[Subscription[Owner]]:
        """The owner's subscriptions."""
        return self._by_owner.get(owner, ())

    def listens(self, schema: str, table: str) -> bool:
        """Whether anybody has subscribed to changes of that table."""
        return any(self._shelves.get(place) for place in _places(schema, table))

    def interested(self, change: Change) -> list[Subscription[Owner]]:
        """The subscriptions that a change concerns (before row security, and before what PostgreSQL is asked about)."""
        found: list[Subscription[Owner]] = []
        for place in _places(change.table.schema, change.table.name):
            shelf = self._shelves.get(place)
            if shelf:
                found += [subscription for subscription in shelf.find(change) if subscription.wants(change)]
        return found


def _places(schema: str, table: str) -> tuple[tuple[str | None, str | None], ...]:
    return ((schema, table), (schema, None), (None, table), (None, None))
