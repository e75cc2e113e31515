"""The grammar of PostgREST's query strings, as far as it is served: text → tree, or a RestError that names the trouble.

Pure: it knows no table. Source: PROTOCOL 2.1 and 2.2, and PostgREST's reference, "Horizontal Filtering".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from reference_server.rest.errors import RestError, not_served, out_of_range, unparsable
from reference_server.rest.tree import (
    CASTS,
    COMPARISONS,
    QUANTIFIED,
    SEARCHES,
    TESTS,
    Comparison,
    Condition,
    Is,
    Logic,
    Membership,
    Order,
    Query,
    Search,
    Selected,
)

DEEPEST = 10
"""Levels of nested `and(…)` and `or(…)`."""
MOST = 2**31 - 1
_SERVED = frozenset({*COMPARISONS, *SEARCHES, "in", "is"})
_OPERATOR = re.compile(r"[a-z]*")
_FILTER = re.compile(r"(?:not\.)?([a-z]+)(?:\([A-Za-z_]*\))?\.")
_MODIFIER = re.compile(r"\(([A-Za-z_]*)\)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SELECTED = re.compile(r"(?:([^:]*):(?!:))?([^:]*)(?:::(.*))?", re.DOTALL)
_RANGE = re.compile(r"([0-9]{1,10})-([0-9]{0,10})")
_BRACES = {"{": 1, "}": -1}
_LOGIC = re.compile(r"(not\.)?(and|or)\(")


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
    if "(" in text or ")" in text:
        raise not_served(f"embedding another table (select={text})")
    if "->" in text:
        raise not_served(f"a path into JSON (select={text})")
    return tuple(_selected(text, item.strip()) for item in text.split(","))


def _selected(text: str, item: str) -> Selected:
    if item == "*":
        return Selected("*")
    parts = _SELECTED.fullmatch(item)
    alias, column, cast = parts.groups() if parts else (None, item, None)
    if cast is not None and cast not in CASTS:
        raise RestError(400, "42704", f'type "{cast}" does not exist')
    names = [_name("select parameter", text, name.strip('"')) for name in (column, alias) if name is not None]
    return Selected(names[0], names[1] if alias is not None else "", cast or "")


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
    """`started_at.desc.nullslast,id` → terms."""
    return tuple(_order_term(text, item) for item in text.split(","))


def _order_term(text: str, item: str) -> Order:
    column, *words = item.split(".")
    term = Order(_name("order", text, column))
    for word in words:
        match word:
            case "asc" | "desc":
                term = replace(term, descending=word == "desc")
            case "nullsfirst":
                term = replace(term, nulls="first")
            case "nullslast":
                term = replace(term, nulls="last")
            case _:
                raise unparsable("order", text, text.find(word) + 1, f'unexpected "{word}"')
    return term


def parse_names(kind: str, text: str) -> tuple[str, ...]:
    """`"a","b"` or `a,b` → names."""
    return tuple(_name(f"{kind} parameter", text, item.strip().strip('"')) for item in text.split(","))


def parse_filter(column: str, text: str) -> Condition:
    """`column=[not.]op.value` → condition; all that follows the operator is the value."""
    _served_column(column)
    reader = _Reader("filter", text)
    condition = reader.operation(column, whole=True)
    reader.end()
    return condition


def parse_logic(key: str, text: str) -> Logic:
    """`or=(a.eq.1,and(b.gt.2,c.lt.3))` → tree."""
    reader = _Reader("logic tree", text)
    reader.expect("(")
    conditions = reader.conditions(1)
    reader.end()
    operator: Literal["and", "or"] = "and" if key.endswith("and") else "or"
    return Logic(operator, conditions, key.startswith("not."))


def is_filter(text: str) -> bool:
    """Whether the value of a parameter begins as a condition does; an argument of a function that is read does not."""
    word = _FILTER.match(text)
    return word is not None and word[1] in _SERVED


def _served_column(column: str) -> None:
    if "->" in column:
        raise not_served(f"a path into JSON ('{column}')")
    if "." in column:
        raise not_served(f"a filter on another table ('{column}')")


def _name(kind: str, text: str, item: str) -> str:
    if not _NAME.fullmatch(item):
        raise unparsable(kind, text, text.find(item) + 1, f'unexpected "{item}" expecting a column')
    return item


def _count(key: str, text: str) -> int:
    if text.startswith("-") and text[1:].isdigit():
        raise out_of_range(f"{key.capitalize()} should be greater than or equal to zero.")
    if not (text.isascii() and text.isdigit()) or int(text) > MOST:
        raise unparsable(f"{key} parameter", text, 1, "expecting a whole number")
    return int(text)


class _Reader:
    """Reads one text from left to right; every refusal says where."""

    def __init__(self, kind: str, text: str) -> None:
        self._kind = kind
        self._text = text
        self._at = 0

    def refusal(self, expected: str) -> RestError:
        found = f'"{self._text[self._at]}"' if self._at < len(self._text) else "end of input"
        return unparsable(self._kind, self._text, self._at + 1, f"unexpected {found} expecting {expected}")

    def take(self, token: str) -> bool:
        if self._text.startswith(token, self._at):
            self._at += len(token)
            return True
        return False

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise self.refusal(f'"{token}"')

    def end(self) -> None:
        if self._at != len(self._text):
            raise self.refusal("end of input")

    def conditions(self, depth: int) -> tuple[Condition, ...]:
        """The conditions up to and with the closing parenthesis."""
        if depth > DEEPEST:
            raise not_served(f"logic nested more than {DEEPEST} deep")
        found = [self.condition(depth)]
        while self.take(","):
            found.append(self.condition(depth))
        self.expect(")")
        return tuple(found)

    def condition(self, depth: int) -> Condition:
        if logic := _LOGIC.match(self._text, self._at):
            self._at = logic.end()
            operator: Literal["and", "or"] = "and" if logic[2] == "and" else "or"
            return Logic(operator, self.conditions(depth + 1), logic[1] is not None)
        name = _NAME.match(self._text, self._at)
        if name is None:
            raise self.refusal("a column")
        self._at = name.end()
        if self._text.startswith("->", self._at):
            raise not_served(f"a path into JSON ('{self._text}')")
        self.expect(".")
        return self.operation(name[0], whole=False)

    def operation(self, column: str, *, whole: bool) -> Condition:
        """`[not.]op.value`; `whole` where the value is all the rest, else it ends at a comma or parenthesis."""
        negated = self.take("not.")
        operator, modifier = self._operator()
        if operator == "in":
            return Membership(column, self._list(), negated)
        value = self._rest() if whole else self._value()
        if operator in SEARCHES:
            return Search(column, operator, value, modifier, negated)
        if operator != "is":
            quantifier: Literal["any", "all", ""] = "any" if modifier == "any" else "all" if modifier else ""
            return Comparison(column, operator, value, negated, quantifier)
        if value.lower() not in TESTS:
            raise self.refusal(", ".join(TESTS))
        return Is(column, value.lower(), negated)

    def _operator(self) -> tuple[str, str]:
        """`eq.`, `eq(any).` or `fts(english).` → the operator and what stands in parentheses behind it."""
        start = self._at
        word = _OPERATOR.match(self._text, start)
        operator = word[0] if word else ""
        self._at += len(operator)
        modifier = ""
        if found := _MODIFIER.match(self._text, self._at):
            modifier = found[1]
            self._at = found.end()
            fits = operator in SEARCHES or (operator in QUANTIFIED and modifier in {"any", "all"})
        else:
            fits = operator in _SERVED
        if not fits or not self.take("."):
            self._at = start
            raise self.refusal("operator (eq, gt, ...)")
        return operator, modifier

    def _rest(self) -> str:
        start, self._at = self._at, len(self._text)
        return self._text[start:]

    def _value(self) -> str:
        if self.take('"'):
            return self._quoted()
        start = self._at
        depth = 0  # in braces: an array or an object, whose commas are its own
        while self._at < len(self._text) and (depth or self._text[self._at] not in ",)"):
            depth = max(0, depth + _BRACES.get(self._text[self._at], 0))
            self._at += 1
        return self._text[start : self._at]

    def _quoted(self) -> str:
        letters = list[str]()
        while self._at < len(self._text):
            letter = self._text[self._at]
            self._at += 1
            if letter == '"':
                return "".join(letters)
            if letter == "\\" and self._at < len(self._text):
                letter = self._text[self._at]
                self._at += 1
            letters.append(letter)
        raise self.refusal('"""')

    def _list(self) -> tuple[str, ...]:
        self.expect("(")
        if self.take(")"):
            return ()
        values = [self._value()]
        while self.take(","):
            values.append(self._value())
        self.expect(")")
        return tuple(values)
