"""Statements: their text depends on the catalogue alone, values travel as parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_server.rest import statements
from reference_server.rest.catalogue import Table
from reference_server.rest.errors import RestError
from reference_server.rest.tree import COMPARISONS, Comparison, Field, Logic, Membership, Order, Query, Search, Selected

TABLE = Table("t", {"id": "uuid", "name": "text"}, ("id",))


def test_select() -> None:
    """A query becomes one statement that answers with one row of JSON text and a number."""
    either = Logic("or", (Comparison(Field("id"), "eq", "x"), Membership(Field("id"), ("y", "z"), negated=True)))
    query = Query(
        (Selected(Field("id")),),
        (either, Comparison(Field("name"), "ilike", "a*")),
        (Order(Field("name"), True, "last"),),
        5,
        2,
    )
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
        Query(select=(Selected(Field("nope")),)),
        Query(where=(Comparison(Field("nope"), "eq", "1"),)),
        Query(where=(Logic("or", (Membership(Field("nope"), ()),)),)),
        Query(order=(Order(Field("nope")),)),
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
    query = Query(where=(Comparison(Field("name"), operator, value), Membership(Field("id"), tuple(values))))
    plain = Query(where=(Comparison(Field("name"), operator, "x"), Membership(Field("id"), ())))
    assert statements.select(TABLE, query).text == statements.select(TABLE, plain).text
    body = statements.insert(TABLE, Query(), value, ("id",), None, returning="rows")
    assert body.text == statements.insert(TABLE, Query(), "", ("id",), None, returning="rows").text


@given(st.text(), st.text(), st.text())
def test_names_that_a_request_gives_are_never_text_of_a_statement(alias: str, words: str, language: str) -> None:
    """The name of a renamed column, the words of a search and their language are parameters like other values."""
    query = Query((Selected(Field("id"), alias or "x"),), (Search(Field("name"), "fts", words, language or "x"),))
    plain = Query((Selected(Field("id"), "y"),), (Search(Field("name"), "fts", "y", "y"),))
    assert statements.select(TABLE, query).text == statements.select(TABLE, plain).text
    assert (alias or "x") in statements.select(TABLE, query).parameters


def test_renamed_and_cast_columns() -> None:
    """A renamed column has its new name in the JSON only; a cast one keeps its own."""
    query = Query((Selected(Field("*")), Selected(Field("id"), "who", "text"), Selected(Field("name"), "", "varchar")))
    statement = statements.select(TABLE, query)
    assert statement.parameters[:4] == ("id", "name", "who", "name")
    assert "select t.id as c0, t.name as c1, t.id::text as c2, t.name::varchar as c3 from public.t" in statement.text
    assert "json_build_object($1::text, answer.c0, $2::text, answer.c1," in statement.text


def test_too_many_renamed_columns() -> None:
    """PostgreSQL takes so many arguments and no more: more are refused before they reach it."""
    with pytest.raises(RestError, match="Feature not implemented"):
        statements.select(TABLE, Query((Selected(Field("id"), "x"),) * 51))


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (Comparison(Field("name"), "match", "^a"), "t.name ~ $1::text"),
        (Comparison(Field("id"), "isdistinct", "x"), "t.id is distinct from $1::text::uuid"),
        (Comparison(Field("id"), "eq", "{x}", quantifier="any"), "t.id = any ($1::text::uuid[])"),
        (Comparison(Field("id"), "like", "{x}", quantifier="all"), "t.id like all ($1::text::text[])"),
        (Search(Field("name"), "fts", "x"), "to_tsvector(t.name) @@ to_tsquery($1::text)"),
        (
            Search(Field("name"), "wfts", "x", "english"),
            "to_tsvector($1::text::regconfig, t.name) @@ websearch_to_tsquery($1::text::regconfig, $2::text)",
        ),
    ],
)
def test_operators(condition: Comparison | Search, text: str) -> None:
    """Each kind of operator, as PostgreSQL writes it."""
    assert f"({text})" in statements.count(TABLE, Query(where=(condition,))).text


def test_defaults_where_an_object_says_nothing() -> None:
    """With defaults wanted a missing member takes the column's own expression, and a null stays null."""
    table = Table("t", {"id": "uuid", "name": "text"}, ("id",), {"id": "gen_random_uuid()"})
    statement = statements.insert(table, Query(), "[]", ("id", "name"), None, defaults=True)
    assert "case when jsonb_exists(item, 'id') then new.id else gen_random_uuid() end, new.name" in statement.text


def test_upsert_targets_the_key_unless_told() -> None:
    """An upsert conflicts on the primary key, or on the columns that `on_conflict` names."""
    by_key = statements.insert(TABLE, Query(), "[]", ("id", "name"), "merge-duplicates")
    assert "on conflict (id) do update set id = excluded.id, name = excluded.name" in by_key.text
    by_name = statements.insert(TABLE, Query(on_conflict=("name",)), "[]", ("name",), "ignore-duplicates")
    assert "on conflict (name) do nothing" in by_name.text
