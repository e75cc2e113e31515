"""What may stand behind `-k`: words joined by `or`, `and` and `not`, with parentheses, as pytest reads them."""

from __future__ import annotations

import re

from harness.errors import Trouble

_WORD = re.compile(r"[\w.:+/\\\[\]-]+")
_PART = re.compile(rf"{_WORD.pattern}|\S")


def check_some_choice(expression: str) -> None:
    """Raises Trouble for an expression that says nothing: a variable of the shell that is not set, say."""
    if not expression.strip():
        raise Trouble("-k says nothing", "name what to choose, or leave -k out for all")


def check_choice(expression: str) -> None:
    """Looks at a choice of requirements before anything is started for it.

    Raises:
        Trouble: it says nothing, or pytest could not read it.
    """
    check_some_choice(expression)
    depth, word_is_due = 0, True
    for part in _PART.findall(expression):
        joins = part in {"and", "or"}
        if word_is_due and part == "(":
            depth += 1
        elif word_is_due and not joins and _WORD.fullmatch(part):
            word_is_due = part == "not"
        elif not word_is_due and joins:
            word_is_due = True
        elif not word_is_due and part == ")" and depth:
            depth -= 1
        else:
            raise _unreadable(expression, f"is wrong at {part!r}")
    if word_is_due or depth:
        raise _unreadable(expression, "ends too early")


def _unreadable(expression: str, why: str) -> Trouble:
    return Trouble(f"-k {expression!r} {why}", "join ids and groups by or, and, not: -k 'MM-S1 or MM-L2'")
