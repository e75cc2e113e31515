"""What a query string says, as a tree of plain values; names in it are not yet known to exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

COMPARISONS = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "like",
    "ilike": "ilike",
    "match": "~",
    "imatch": "~*",
    "isdistinct": "is distinct from",
    "cs": "@>",
    "cd": "<@",
    "ov": "&&",
    "sl": "<<",
    "sr": ">>",
    "nxr": "&<",
    "nxl": "&>",
    "adj": "-|-",
}
"""Operators with one value, and PostgreSQL's words for them."""
QUANTIFIED = frozenset({"eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch"})
"""Those of them that `(any)` and `(all)` may follow."""
PATTERNS = frozenset({"like", "ilike", "match", "imatch"})
"""Those of them whose value is a pattern, whatever the column's type."""
SEARCHES = {
    "fts": "to_tsquery",
    "plfts": "plainto_tsquery",
    "phfts": "phraseto_tsquery",
    "wfts": "websearch_to_tsquery",
}
"""Full-text searches, and what makes a query of their words."""
TESTS = {
    "null": "is null",
    "not_null": "is not null",
    "true": "is true",
    "false": "is false",
    "unknown": "is unknown",
}
"""What `is` can ask for."""
CASTS = frozenset(
    {
        *("text", "varchar", "json", "jsonb", "uuid", "bool", "boolean", "smallint", "int", "integer", "bigint"),
        *("int2", "int4", "int8", "real", "float4", "float8", "numeric", "date", "time", "timestamp", "timestamptz"),
    }
)
"""Types that a selected column may be cast to."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step into JSON: `->key` or `->index`, or with `->>` the same as text."""

    key: str | int
    as_text: bool = False


Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A column, or with `path` what lies within its JSON: `preferences->tags->>0`."""

    column: str
    path: Path = ()

    @property
    def name(self) -> str:
        """What it is called where nothing else is said: the last key that is no index, else the column."""
        keys = [step.key for step in self.path if isinstance(step.key, str)]
        return keys[-1] if keys else self.column


@dataclass(frozen=True, slots=True)
class Selected:
    """One item of `select=`: `alias:field::cast`; the column `*` is every column."""

    field: Field
    alias: str = ""
    cast: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field=op.value` or `field=op(any).{a,b}`; `operator` is a key of COMPARISONS."""

    field: Field
    operator: str
    value: str
    negated: bool = False
    quantifier: Literal["any", "all", ""] = ""


@dataclass(frozen=True, slots=True)
class Search:
    """`field=fts(english).words`; `operator` is a key of SEARCHES, no language: the database's own."""

    field: Field
    operator: str
    words: str
    language: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Membership:
    """`field=in.(a,b)`."""

    field: Field
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Is:
    """`field=is.null`; `what` is a key of TESTS."""

    field: Field
    what: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Logic:
    """`or=(…)` or `and=(…)`."""

    operator: Literal["and", "or"]
    conditions: tuple[Condition, ...]
    negated: bool = False


Condition = Comparison | Search | Membership | Is | Logic


@dataclass(frozen=True, slots=True)
class Order:
    """One term of `order=`."""

    field: Field
    descending: bool = False
    nulls: Literal["first", "last", ""] = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query string. `select` None: all columns. All of `where` must hold."""

    select: tuple[Selected, ...] | None = None
    where: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    columns: tuple[str, ...] | None = None
    on_conflict: tuple[str, ...] = ()
