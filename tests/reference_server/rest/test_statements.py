"""Statements: their text depends on the catalogue alone, values travel as parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_server.rest import statements
from reference_server.rest.catalogue import Table
from reference_server.rest.errors import RestError
from reference_server.rest.tree import COMPARISONS, Comparison, Logic, Membership, Order, Query

TABLE = Table("t", {"id": "uuid", "name": "text"}, ("id",))


def test_select() -> None:
    """A query becomes one statement that answers with one row of JSON text and a number."""
    either = Logic("or", (Comparison("id", "eq", "x"), Membership("id", ("y", "z"), negated=True)))
    query = Query(("id",), (either, Comparison("name", "ilike", "a*")), (Order("name", True, "last"),), 5, 2)
    statement = statements.select(TABLE, query)
    assert statement.parameters == ("x", ["y", "z"], "a%", 5, 2)
    assert (
        "select t.id from public.t where ((t.id = $1::text::uuid) or (not (t.id = any ($2::text[]::uuid[]))))"
        " and (t.name ilike $3::text) order by t.name desc nulls last limit $4::bigint offset $5::bigint"
    ) in statement.text


def test_rows_have_a_ceiling() -> None:
    """No answer has more than a thousand rows, whatever the limit."""
    assert statements.select(TABLE, Query(limit=5000)).parameters == (statements.MAX_ROWS, 0)
    assert statements.select(TABLE, Query()).parameters == (statements.MAX_ROWS, 0)


@pytest.mark.parametrize(
    "query",
    [
        Query(select=("nope",)),
        Query(where=(Comparison("nope", "eq", "1"),)),
        Query(where=(Logic("or", (Membership("nope", ()),)),)),
        Query(order=(Order("nope"),)),
    ],
)
def test_unknown_columns_never_reach_a_statement(query: Query) -> None:
    """A column that the table does not have is PostgreSQL's own error for it, before any statement is made."""
    with pytest.raises(RestError) as caught:
        statements.select(TABLE, query)
    assert (caught.value.code, caught.value.message) == ("42703", "column t.nope does not exist")


@given(st.text(), st.sampled_from(sorted(COMPARISONS)), st.lists(st.text(), max_size=3))
def test_values_are_never_text_of_a_statement(value: str, operator: str, values: list[str]) -> None:
    """The text of a statement is the same whatever the values are."""
    query = Query(where=(Comparison("name", operator, value), Membership("id", tuple(values))))
    plain = Query(where=(Comparison("name", operator, "x"), Membership("id", ())))
    assert statements.select(TABLE, query).text == statements.select(TABLE, plain).text
    body = statements.insert(TABLE, Query(), value, ("id",), None, returning=True)
    assert body.text == statements.insert(TABLE, Query(), "", ("id",), None, returning=True).text


def test_upsert_targets_the_key_unless_told() -> None:
    """An upsert conflicts on the primary key, or on the columns that `on_conflict` names."""
    by_key = statements.insert(TABLE, Query(), "[]", ("id", "name"), "merge-duplicates", returning=False)
    assert "on conflict (id) do update set id = excluded.id, name = excluded.name" in by_key.text
    by_name = statements.insert(
        TABLE, Query(on_conflict=("name",)), "[]", ("name",), "ignore-duplicates", returning=False
    )
    assert "on conflict (name) do nothing" in by_name.text
