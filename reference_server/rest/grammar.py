"""The grammar of PostgREST's query strings, as far as it is served: text → tree, or a RestError that names the trouble.

Pure: it knows no table. Source: PROTOCOL 2.1 and 2.2, and PostgREST's reference, "Horizontal Filtering".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from reference_server.rest.errors import RestError, not_served, out_of_range, unparsable
from reference_server.rest.reader import SERVED, Reader
from reference_server.rest.tree import CASTS, Condition, Field, Logic, Order, Query, Selected

MOST = 2**31 - 1
_DIGITS = 20
"""Of a number that is read at all: Python refuses to read one of thousands."""
_FILTER = re.compile(r"(?:not\.)?([a-z]+)(?:\([A-Za-z_]*\))?\.")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_AGGREGATE = re.compile(r"(?:^|[.,:])(?:avg|count|max|min|sum)\(\)")
_BLANKS = re.compile(r" *")
_CAST = re.compile(r"::[^,()]*")
_RANGE = re.compile(r"([0-9]{1,10})-([0-9]{0,10})")


def parse_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Reads the decoded pairs of a query string.

    Raises:
        RestError: PGRST100 for what is no such grammar, PGRST103 for rows before the first, PGRST127 for what is
            grammar but is not served.
    """
    query, where = Query(), list[Condition]()
    for key, value in pairs:
        match key:
            case "select":
                query = replace(query, select=parse_select(value))
            case "order":
                query = replace(query, order=parse_order(value))
            case "limit":
                query = replace(query, limit=_count(key, value))
            case "offset":
                query = replace(query, offset=_count(key, value))
            case "columns":
                query = replace(query, columns=parse_names("columns", value))
            case "on_conflict":
                query = replace(query, on_conflict=parse_names("on_conflict", value))
            case "and" | "or" | "not.and" | "not.or":
                where.append(parse_logic(key, value))
            case "apikey":
                pass  # the gateway's
            case _:
                where.append(parse_filter(key, value))
    return replace(query, where=tuple(where))


def parse_select(text: str) -> tuple[Selected, ...] | None:
    """`a,nick:b::text` → items; `*` and nothing → None, all columns."""
    if text in {"*", ""}:
        return None
    if _AGGREGATE.search(text):
        raise RestError(400, "PGRST123", "Use of aggregate functions is not allowed")
    reader = Reader("select parameter", text)
    items = [_selected(reader, text)]
    while reader.take(","):
        items.append(_selected(reader, text))
    reader.end()
    return tuple(items)


def _selected(reader: Reader, text: str) -> Selected:
    reader.matched(_BLANKS)
    if reader.take("*"):
        return Selected(Field("*"))
    embedding = reader.at("...")
    field, alias = Field("") if embedding else reader.field(), ""
    if not field.path and reader.at(":") and not reader.at("::"):
        reader.expect(":")
        alias, field = field.column, reader.field()
    if embedding or reader.at("(", "!"):
        raise not_served(f"embedding another table (select={text})")
    cast = reader.matched(_CAST).removeprefix("::")
    if cast and cast not in CASTS:
        raise RestError(400, "42704", f'type "{cast}" does not exist')
    reader.matched(_BLANKS)
    return Selected(field, alias, cast)


def parse_range(text: str, query: Query) -> Query:
    """The rows that the query asks for and that lie within a `Range` header; one that is none is passed over.

    Raises:
        RestError: PGRST103 where it ends before it begins.
    """
    bounds = _RANGE.fullmatch(text.strip())
    if bounds is None:
        return query
    first, last = int(bounds[1]), int(bounds[2]) if bounds[2] else MOST
    if last < first:
        raise out_of_range("The lower boundary must be lower than or equal to the upper boundary in the Range header.")
    if query.limit is not None:
        last = min(last, query.offset + query.limit - 1)
    first = max(first, query.offset)
    return replace(query, offset=first, limit=max(0, last - first + 1))


def parse_order(text: str) -> tuple[Order, ...]:
    """`started_at.desc.nullslast,preferences->>x` → terms."""
    reader = Reader("order", text)
    terms = [_order_term(reader, text)]
    while reader.take(","):
        terms.append(_order_term(reader, text))
    reader.end()
    return tuple(terms)


def _order_term(reader: Reader, text: str) -> Order:
    term = Order(reader.field())
    if reader.at("("):
        raise not_served(f"an order by another table (order={text})")
    while reader.take("."):
        match reader.one_of(("asc", "desc", "nullsfirst", "nullslast")):
            case "nullsfirst":
                term = replace(term, nulls="first")
            case "nullslast":
                term = replace(term, nulls="last")
            case word:
                term = replace(term, descending=word == "desc")
    return term


def parse_names(kind: str, text: str) -> tuple[str, ...]:
    """`"a","b"` or `a,b` → names."""
    return tuple(_name(f"{kind} parameter", text, item.strip().strip('"')) for item in text.split(","))


def parse_filter(column: str, text: str) -> Condition:
    """`field=[not.]op.value` → condition; all that follows the operator is the value."""
    field = _field(column)
    reader = Reader("filter", text)
    condition = reader.operation(field, whole=True)
    reader.end()
    return condition


def parse_logic(key: str, text: str) -> Logic:
    """`or=(a.eq.1,and(b.gt.2,c.lt.3))` → tree."""
    reader = Reader("logic tree", text)
    reader.expect("(")
    conditions = reader.conditions(1)
    reader.end()
    operator: Literal["and", "or"] = "and" if key.endswith("and") else "or"
    return Logic(operator, conditions, key.startswith("not."))


def is_filter(text: str) -> bool:
    """Whether the value of a parameter begins as a condition does; an argument of a function that is read does not."""
    word = _FILTER.match(text)
    return word is not None and word[1] in SERVED


def _field(text: str) -> Field:
    """What a parameter is called: a column as it is, or a path into its JSON."""
    column, arrow, _ = text.partition("->")
    if "." in column:
        raise not_served(f"a filter on another table ('{text}')")
    if not arrow:
        return Field(column)
    reader = Reader("filter", text)
    field = reader.field()
    reader.end()
    return field


def _name(kind: str, text: str, item: str) -> str:
    if not _NAME.fullmatch(item):
        raise unparsable(kind, text, text.find(item) + 1, f'unexpected "{item}" expecting a column')
    return item


def _count(key: str, text: str) -> int:
    if text.startswith("-") and text[1:].isdigit():
        raise out_of_range(f"{key.capitalize()} should be greater than or equal to zero.")
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS or int(text) > MOST:
        raise unparsable(f"{key} parameter", text, 1, "expecting a whole number")
    return int(text)
