"""Who wants which changes: bindings, and the index that finds a change's candidates without asking all; no I/O."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import orjson

from reference_server.realtime.filters import Condition, compile_condition, parse_filter
from reference_server.realtime.tables import Change, Kind

Owner = TypeVar("Owner")

KINDS: tuple[Kind, ...] = ("INSERT", "UPDATE", "DELETE")
_ID_MASK = 2**27 - 1


@dataclass(frozen=True, slots=True)
class Binding:
    """One entry of a join's `postgres_changes`. `table` is None for every table of the schema; `kind` None for all."""

    id: int
    kind: Kind | None
    schema: str
    table: str | None
    conditions: tuple[Condition, ...] = ()

    def describe(self) -> str:
        """The binding as the real server's error messages print it (PROTOCOL 1.4)."""
        filters = ", ".join(condition.describe() for condition in self.conditions)
        table = "*" if self.table is None else self.table
        return f"[event: {self.kind or '*'}, schema: {self.schema}, table: {table}, filters: [{filters}], select: nil]"


def binding_id(params: dict[str, Any]) -> int:
    """The id that the join's reply gives a binding: 0 … 2^27-1, the same for the same parameters."""
    return zlib.crc32(orjson.dumps(params, option=orjson.OPT_SORT_KEYS)) & _ID_MASK


def parse_binding(params: dict[str, Any]) -> Binding:
    """Reads a binding.

    Raises:
        FilterError: its filter cannot be parsed.
    """
    event, schema, table = params.get("event"), params.get("schema"), params.get("table")
    kind = event.upper() if isinstance(event, str) else "*"
    text = params.get("filter")
    return Binding(
        id=binding_id(params),
        kind=kind if kind in KINDS else None,
        schema=schema if isinstance(schema, str) and schema else "public",
        table=table if isinstance(table, str) and table not in {"", "*"} else None,
        conditions=parse_filter(text if isinstance(text, str) else None),
    )


@dataclass(slots=True, eq=False)
class Subscription(Generic[Owner]):
    """A binding in force for its owner, for changes whose commit lies at or behind `since` in the log."""

    owner: Owner
    binding: Binding
    since: int
    _tests: tuple[tuple[str, Callable[[str], bool]], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._tests = tuple((condition.column, compile_condition(condition)) for condition in self.binding.conditions)

    def wants(self, change: Change) -> bool:
        """Whether the change passes kind, position and every condition; a value that is null or unknown passes none."""
        if self.binding.kind not in {None, change.kind} or change.commit_lsn < self.since:
            return False
        for column, test in self._tests:
            value = change.value(column)
            if value is None or not test(value):
                return False
        return True


class _Shelf(Generic[Owner]):
    """The subscriptions to one table (or to all of a schema's): by a column's value where a condition allows it."""

    __slots__ = ("by_value", "others")

    def __init__(self) -> None:
        self.by_value: dict[str, dict[str, dict[Subscription[Owner], None]]] = {}
        self.others: dict[Subscription[Owner], None] = {}

    def add(self, subscription: Subscription[Owner]) -> None:
        condition = _index_condition(subscription)
        if condition is None:
            self.others[subscription] = None
            return
        values = self.by_value.setdefault(condition.column, {})
        for value in condition.values:
            values.setdefault(value, {})[subscription] = None

    def remove(self, subscription: Subscription[Owner]) -> None:
        self.others.pop(subscription, None)
        condition = _index_condition(subscription)
        values = self.by_value.get(condition.column, {}) if condition else {}
        for value in condition.values if condition else ():
            found = values.get(value, {})
            found.pop(subscription, None)
            if not found:
                values.pop(value, None)

    def find(self, change: Change) -> Iterator[Subscription[Owner]]:
        yield from self.others
        for column, values in self.by_value.items():
            value = change.value(column)
            if value is not None:
                yield from values.get(value, ())


def _index_condition(subscription: Subscription[Any]) -> Condition | None:
    return next((condition for condition in subscription.binding.conditions if condition.indexable), None)


class SubscriptionIndex(Generic[Owner]):
    """Every subscription of this process, by owner, and by what a change must look like to concern it."""

    def __init__(self) -> None:
        self._shelves: dict[tuple[str, str | None], _Shelf[Owner]] = {}
        self._by_owner: dict[Owner, list[Subscription[Owner]]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_owner)

    def __len__(self) -> int:
        return sum(len(subscriptions) for subscriptions in self._by_owner.values())

    def replace(self, owner: Owner, bindings: tuple[Binding, ...], since: int) -> None:
        """Puts the owner's subscriptions in the place of those it had."""
        self.remove(owner)
        subscriptions = [Subscription(owner, binding, since) for binding in bindings]
        for subscription in subscriptions:
            place = (subscription.binding.schema, subscription.binding.table)
            self._shelves.setdefault(place, _Shelf()).add(subscription)
        if subscriptions:
            self._by_owner[owner] = subscriptions

    def remove(self, owner: Owner) -> None:
        """Ends the owner's subscriptions, if it has any."""
        for subscription in self._by_owner.pop(owner, ()):
            self._shelves[subscription.binding.schema, subscription.binding.table].remove(subscription)

    def interested(self, change: Change) -> dict[Owner, list[int]]:
        """The owners that a change concerns, each with the ids of all its bindings that match (before row security)."""
        found: dict[Owner, list[int]] = {}
        for place in ((change.table.schema, change.table.name), (change.table.schema, None)):
            shelf = self._shelves.get(place)
            for subscription in shelf.find(change) if shelf else ():
                if subscription.wants(change):
                    found.setdefault(subscription.owner, []).append(subscription.binding.id)
        return found
