"""The filters of a `postgres_changes` binding: text → condition → test of a logged value; no I/O (PROTOCOL 1.5)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MAX_IN_VALUES = 100

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}

# Types whose values are equal exactly when their texts are: these conditions can be found by an index on the text.
_EQUAL_AS_TEXT = frozenset(
    {"uuid", "text", "varchar", "name", "bool", "int2", "int4", "int8", "date", "timestamptz", "timestamp"}
)
_NUMBERS = frozenset({"int2", "int4", "int8", "oid", "float4", "float8", "numeric"})


class FilterError(ValueError):
    """A filter that cannot be parsed; its text is what the client is told."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`column op value`; `in` has several values, the other operators one. Values are text as the client wrote it,
    or, once PostgreSQL has cast them to the column's type, as it writes them."""

    column: str
    op: str
    values: tuple[str, ...]
    type_name: str = ""

    def describe(self) -> str:
        """The condition as the real server's error messages print it."""
        value = "{" + ",".join(self.values) + "}" if self.op == "in" else self.values[0]
        return f'{{"{self.column}", "{self.op}", "{value}"}}'

    @property
    def indexable(self) -> bool:
        """Whether equality of texts decides this condition."""
        return self.op in {"eq", "in"} and self.type_name in _EQUAL_AS_TEXT


def parse_filter(text: str | None) -> tuple[Condition, ...]:
    """Parses a binding's filter; None and the empty text mean no condition.

    Raises:
        FilterError: with the text of PROTOCOL 1.4 ("Error parsing `filter` params: …").
    """
    if not text:
        return ()
    column, equals, rest = text.partition("=")
    if not equals:
        raise _unparsable(text)
    op, dot, value = rest.partition(".")
    if not dot:
        raise _unparsable(rest)
    if op == "in":
        return (Condition(column, op, _in_values(op, value)),)
    if op not in _COMPARE:
        raise _unparsable(op, value)
    return (Condition(column, op, (value,)),)


def _unparsable(*parts: str) -> FilterError:
    quoted = ", ".join('"' + part.replace('"', '\\"') + '"' for part in parts)
    return FilterError(f"Error parsing `filter` params: [{quoted}]")


def _in_values(op: str, value: str) -> tuple[str, ...]:
    if not (value.startswith("(") and value.endswith(")")):
        raise _unparsable(op, value)
    values = tuple(part.strip() for part in value[1:-1].split(","))
    if len(values) > MAX_IN_VALUES:
        raise FilterError(f"Error parsing `filter` params: too many values for `in`: {len(values)} of {MAX_IN_VALUES}")
    return values


def compile_condition(condition: Condition) -> Callable[[str], bool]:
    """Makes the test of a value's text against a condition whose values PostgreSQL has cast already.

    Numbers compare as numbers. Everything else compares by its text, which orders uuids, booleans, dates and times
    as PostgreSQL does (one form, UTC) and texts by code point, where PostgreSQL would take the column's collation.
    """
    convert: Callable[[str], Any] = Decimal if condition.type_name in _NUMBERS else str
    if condition.op == "in":
        allowed = frozenset(convert(value) for value in condition.values)
        return lambda text: convert(text) in allowed
    compare, wanted = _COMPARE[condition.op], convert(condition.values[0])
    return lambda text: compare(convert(text), wanted)
