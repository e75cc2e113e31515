"""The filters of a `postgres_changes` binding: text → conditions → tests of a logged value; no I/O (PROTOCOL 1.5)."""

from __future__ import annotations

import operator
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

MAX_IN_VALUES = 100

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "isdistinct": operator.ne,
}
_PATTERNS = frozenset({"like", "ilike"})
_EXPRESSIONS = frozenset({"match", "imatch"})
_OPERATORS = frozenset({*_COMPARE, *_PATTERNS, *_EXPRESSIONS, "in", "is"})

# What `is` says of a value that is null, and of one that is not (by its text).
_IS: dict[str, tuple[bool, Callable[[str], bool]]] = {
    "null": (True, lambda _text: False),
    "not_null": (False, lambda _text: True),
    "unknown": (True, lambda _text: False),
    "true": (False, lambda text: text == "t"),
    "false": (False, lambda text: text == "f"),
}

# Types whose values are equal exactly when their texts are: these conditions can be found by an index on the text.
_EQUAL_AS_TEXT = frozenset(
    {"uuid", "text", "varchar", "name", "bool", "int2", "int4", "int8", "date", "timestamptz", "timestamp"}
)
_NUMBERS = frozenset({"int2", "int4", "int8", "oid", "float4", "float8", "numeric"})


class FilterError(ValueError):
    """Parameters of a binding that cannot be read; its text is what the client is told."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`column op value`; `in` has several values, the other operators one. Values are text as the client wrote it,
    or, once PostgreSQL has cast them to the column's type, as it writes them."""

    column: str
    op: str
    values: tuple[str, ...]
    type_name: str = ""
    negate: bool = False

    def describe(self) -> str:
        """The condition as the real server's error messages print it."""
        value = "{" + ",".join(self.values) + "}" if self.op == "in" else self.values[0]
        return f'{{"{self.column}", "{self.op}", "{value}", {str(self.negate).lower()}}}'

    @property
    def indexable(self) -> bool:
        """Whether equality of texts decides this condition."""
        return self.op in {"eq", "in"} and not self.negate and self.type_name in _EQUAL_AS_TEXT

    @property
    def asked(self) -> bool:
        """Whether PostgreSQL must be asked: its regular expressions are its own."""
        return self.op in _EXPRESSIONS

    @property
    def takes_null(self) -> bool:
        """Whether a null passes; only `is` and `isdistinct` are ever true or false of it."""
        if self.op == "is":
            return _IS[self.values[0]][0] != self.negate
        return self.op == "isdistinct" and not self.negate


def parse_filter(text: str | None) -> tuple[Condition, ...]:
    """Parses a binding's filter: conditions joined by commas, all of which must hold; None and blank text are none.

    Raises:
        FilterError: with the text of PROTOCOL 1.4 ("Error parsing `filter` params: …").
    """
    if not text or not text.strip():
        return ()
    return tuple(_condition(segment.strip()) for segment in _segments(text.strip()))


def _segments(text: str, opening: str = "") -> list[str]:
    """Splits at commas that stand neither in parentheses nor in a quoted value (`\\` escapes inside of one).

    A quotation may open after `.`, `(` or `,`; `opening` is what stood before the text.
    """
    segments, start, depth, quoted, at = list[str](), 0, 0, False, 0
    while at < len(text):
        letter = text[at]
        if quoted:
            at += letter == "\\"
            quoted = letter != '"'
        elif letter == '"' and (text[at - 1] if at else opening) in {".", "(", ","}:
            quoted = True
        elif letter in "()":
            depth = depth + 1 if letter == "(" else max(0, depth - 1)
        elif letter == "," and depth == 0:
            segments.append(text[start:at])
            start = at + 1
        at += 1
    return [*segments, text[start:]]


def _condition(text: str) -> Condition:
    if not text:
        raise _unreadable("filter must not contain empty segments (check for extra commas)")
    column, equals, rest = text.partition("=")
    if not equals:
        raise _unparsable(text)
    negate = rest.startswith("not.")
    op, dot, value = rest.removeprefix("not.").partition(".")
    if not dot:
        raise _unparsable(op)
    if op not in _OPERATORS:
        raise _unparsable(op, value)
    return Condition(sys.intern(column), sys.intern(op), _values(op, value), negate=negate)


def _values(op: str, value: str) -> tuple[str, ...]:
    if op == "in":
        if not (len(value) >= 2 and value.startswith("(") and value.endswith(")")):
            raise _unreadable("`in` filter value must be wrapped by parentheses")
        values = tuple(_unquoted(part.strip()) for part in _segments(value[1:-1], opening="("))
        if len(values) > MAX_IN_VALUES:
            raise _unreadable(f"too many values for `in`: {len(values)} of {MAX_IN_VALUES}")
        return values
    if op == "is":
        value = value.lower()
        if value not in _IS:
            raise _unparsable(op, value)
    return (_unquoted(value),)


def _unquoted(value: str) -> str:
    found = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', value, re.DOTALL)
    return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL) if found else value


def _unparsable(*parts: str) -> FilterError:
    quoted = ", ".join('"' + part.replace('"', '\\"') + '"' for part in parts)
    return _unreadable(f"[{quoted}]")


def _unreadable(what: str) -> FilterError:
    return FilterError(f"Error parsing `filter` params: {what}")


def compile_condition(condition: Condition) -> Callable[[str], bool]:
    """Makes the test of a value's text against a condition whose values PostgreSQL has cast already.

    Numbers compare as numbers. Everything else compares by its text, which orders uuids, booleans, dates and times
    as PostgreSQL does (one form, UTC) and texts by code point, where PostgreSQL would take the column's collation.
    A condition that PostgreSQL must be asked about (`asked`) passes here.
    """
    if condition.asked:
        return lambda _text: True
    test = _test(condition)
    return (lambda text: not test(text)) if condition.negate else test


def _test(condition: Condition) -> Callable[[str], bool]:
    if condition.op == "is":
        return _IS[condition.values[0]][1]
    if condition.op in _PATTERNS:
        return _like(condition.values[0], ignore_case=condition.op == "ilike")
    convert: Callable[[str], Any] = Decimal if condition.type_name in _NUMBERS else str
    if condition.op == "in":
        allowed = frozenset(convert(value) for value in condition.values)
        return lambda text: convert(text) in allowed
    compare, wanted = _COMPARE[condition.op], convert(condition.values[0])
    if compare is operator.eq and convert is str:
        return partial(operator.eq, wanted)  # what nearly all subscriptions have: smaller than a closure
    return lambda text: compare(convert(text), wanted)


def _like(pattern: str, *, ignore_case: bool) -> Callable[[str], bool]:
    """LIKE: the parts between two `%` are looked for one after the other, so that no pattern takes long."""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    parts = _like_parts(pattern)
    found = [(re.compile("".join(part), flags), len(part)) for part in parts]

    def test(text: str) -> bool:
        first, length = found[0]
        if len(found) == 1:
            return first.fullmatch(text) is not None
        last, tail = found[-1]
        if len(text) < length + tail or not first.match(text):
            return False
        at, end = length, len(text) - tail
        for part, _length in found[1:-1]:
            hit = part.search(text, at, end)
            if hit is None:
                return False
            at = hit.end()
        return last.match(text, end) is not None

    return test


def _like_parts(pattern: str) -> list[list[str]]:
    """The parts between two `%`, each a list of expressions for one letter."""
    parts: list[list[str]] = [[]]
    letters = iter(pattern)
    for letter in letters:
        if letter == "%":
            parts.append([])
        elif letter == "_":
            parts[-1].append(".")
        else:
            parts[-1].append(re.escape(next(letters, "\\") if letter == "\\" else letter))
    return parts
