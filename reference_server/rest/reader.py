"""Reads a text of PostgREST's grammar from left to right: fields, operators, values, nested logic."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

from reference_server.rest.errors import RestError, not_served, unparsable
from reference_server.rest.tree import (
    COMPARISONS,
    QUANTIFIED,
    SEARCHES,
    TESTS,
    Comparison,
    Condition,
    Field,
    Is,
    Logic,
    Membership,
    Search,
    Step,
)

DEEPEST = 10
"""Levels of nested `and(…)` and `or(…)`."""
SERVED = frozenset({*COMPARISONS, *SEARCHES, "in", "is"})
"""The operators."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INDEX = re.compile(r"-?[0-9]{1,18}(?=->|::|[.,)]|$)", re.ASCII)
_KEY = re.compile(r"(?:[^\"\-:.,>()]|-(?!>))+")
_OPERATOR = re.compile(r"[a-z]*")
_MODIFIER = re.compile(r"\(([A-Za-z_]*)\)")
_BRACES = {"{": 1, "}": -1}
_LOGIC = re.compile(r"(not\.)?(and|or)\(")


class Reader:
    """Reads one text from left to right; every refusal says where."""

    def __init__(self, kind: str, text: str) -> None:
        self._kind = kind
        self._text = text
        self._at = 0

    def refusal(self, expected: str) -> RestError:
        """What is wrong at this place."""
        found = f'"{self._text[self._at]}"' if self._at < len(self._text) else "end of input"
        return unparsable(self._kind, self._text, self._at + 1, f"unexpected {found} expecting {expected}")

    def take(self, token: str) -> bool:
        """Passes over the token where it comes next."""
        if self._text.startswith(token, self._at):
            self._at += len(token)
            return True
        return False

    def expect(self, token: str) -> None:
        """Passes over the token. Raises RestError where something else comes."""
        if not self.take(token):
            raise self.refusal(f'"{token}"')

    def end(self) -> None:
        """Raises RestError where there is more."""
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
        """`and(…)`, `not.or(…)`, or `field.op.value`."""
        if logic := _LOGIC.match(self._text, self._at):
            self._at = logic.end()
            operator: Literal["and", "or"] = "and" if logic[2] == "and" else "or"
            return Logic(operator, self.conditions(depth + 1), logic[1] is not None)
        field = self.field()
        self.expect(".")
        return self.operation(field, whole=False)

    def field(self) -> Field:
        """`column`, `"column"`, or a path into it: `column->key->>0`."""
        column = self.name()
        path = list[Step]()
        while self.take("->"):
            as_text = self.take(">")
            path.append(Step(self._key(), as_text))
        return Field(column, tuple(path))

    def name(self) -> str:
        """A column or an alias, with or without quotes."""
        quoted = self.take('"')
        found = self.matched(_NAME)
        if not found:
            raise self.refusal("a column")
        if quoted:
            self.expect('"')
        return found

    def matched(self, pattern: re.Pattern[str]) -> str:
        """What the pattern takes here, which may be nothing."""
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def one_of(self, words: Collection[str]) -> str:
        """One of these words. Raises RestError where none of them stands here."""
        for word in words:
            if self.take(word):
                return word
        raise self.refusal(", ".join(words))

    def at(self, *tokens: str) -> bool:
        """Whether one of these comes next."""
        return self._text.startswith(tokens, self._at)

    def _key(self) -> str | int:
        if self.take('"'):
            return self._quoted()
        if index := self.matched(_INDEX):
            return int(index)
        if key := self.matched(_KEY):
            return key
        raise self.refusal("a key or an index")

    def operation(self, field: Field, *, whole: bool) -> Condition:
        """`[not.]op.value`; `whole` where the value is all the rest, else it ends at a comma or parenthesis."""
        negated = self.take("not.")
        operator, modifier = self._operator()
        if operator == "in":
            return Membership(field, self._list(), negated)
        value = self._rest() if whole else self._value()
        if operator in SEARCHES:
            return Search(field, operator, value, modifier, negated)
        if operator != "is":
            quantifier: Literal["any", "all", ""] = "any" if modifier == "any" else "all" if modifier else ""
            return Comparison(field, operator, value, negated, quantifier)
        if value.lower() not in TESTS:
            raise self.refusal(", ".join(TESTS))
        return Is(field, value.lower(), negated)

    def _operator(self) -> tuple[str, str]:
        """`eq.`, `eq(any).` or `fts(english).` → the operator and what stands in parentheses behind it."""
        start = self._at
        operator = self.matched(_OPERATOR)
        modifier = ""
        if found := _MODIFIER.match(self._text, self._at):
            modifier = found[1]
            self._at = found.end()
            fits = operator in SEARCHES or (operator in QUANTIFIED and modifier in {"any", "all"})
        else:
            fits = operator in SERVED
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
