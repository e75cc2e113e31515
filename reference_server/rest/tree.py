"""What a query string says, as a tree of plain values; names in it are not yet known to exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

COMPARISONS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "like", "ilike": "ilike"}
"""Operators with one value, and PostgreSQL's words for them."""
TESTS = {
    "null": "is null",
    "not_null": "is not null",
    "true": "is true",
    "false": "is false",
    "unknown": "is unknown",
}
"""What `is` can ask for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`column=op.value`; `operator` is a key of COMPARISONS."""

    column: str
    operator: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Membership:
    """`column=in.(a,b)`."""

    column: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Is:
    """`column=is.null`; `what` is a key of TESTS."""

    column: str
    what: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Logic:
    """`or=(…)` or `and=(…)`."""

    operator: Literal["and", "or"]
    conditions: tuple[Condition, ...]
    negated: bool = False


Condition = Comparison | Membership | Is | Logic


@dataclass(frozen=True, slots=True)
class Order:
    """One term of `order=`."""

    column: str
    descending: bool = False
    nulls: Literal["first", "last", ""] = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query string. `select` None: all columns. All of `where` must hold."""

    select: tuple[str, ...] | None = None
    where: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    columns: tuple[str, ...] | None = None
    on_conflict: tuple[str, ...] = ()
