"""What may stand behind `-k` is what pytest can read, and says something."""

from __future__ import annotations

import pytest
from _pytest.mark.expression import Expression

from harness.errors import Trouble
from harness.lab.choice import check_choice

GOOD = [
    "MM-S1", "MM-S1.", "MM-S1 or MM-L2", "not MM", "not not MM", "(MM or RT) and not MM-S1", "MM and(RT)", "a[b] or c",
    "((MM))", "orders", "a/b",
]  # fmt: skip
BAD = [
    "MM-S1 MM-L2", "MM-S1,MM-L2", "MM-S*", "(MM-S1", "MM-S1)", "MM-S1 and", "or MM", "MM or or RT", "()", "not",
    "MM not RT", "MM (RT)", "MM|RT", "MM & RT", "!MM", ")(", "'MM'",
]  # fmt: skip


@pytest.mark.parametrize("expression", GOOD)
def test_what_pytest_can_read(expression: str) -> None:
    """Goes through."""
    check_choice(expression)
    Expression.compile(expression)


@pytest.mark.parametrize("expression", BAD)
def test_what_pytest_cannot_read(expression: str) -> None:
    """Is told with the place and an example."""
    with pytest.raises(Trouble, match=r"join ids and groups by or, and, not: -k 'MM-S1 or MM-L2'$"):
        check_choice(expression)
    with pytest.raises(Exception, match=r"expected|unexpected"):
        Expression.compile(expression)


@pytest.mark.parametrize("expression", ["", " ", "\t"])
def test_nothing(expression: str) -> None:
    """An empty expression would choose everything."""
    with pytest.raises(Trouble, match="-k says nothing"):
        check_choice(expression)
