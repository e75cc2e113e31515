"""The grammar of query strings: what is read, what is refused, and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_server.rest.errors import RestError
from reference_server.rest.grammar import (
    is_filter,
    parse_filter,
    parse_logic,
    parse_order,
    parse_query,
    parse_range,
    parse_select,
)
from reference_server.rest.reader import DEEPEST
from reference_server.rest.tree import Comparison, Field, Is, Logic, Membership, Order, Query, Search, Selected, Step


def test_the_poll_as_captured() -> None:
    """The documented client's poll is read whole."""
    query = parse_query(
        [
            ("select", "id,user1_id,user2_id"),
            ("or", "(user1_id.eq.U,user2_id.eq.U)"),
            ("status", "eq.active"),
            ("order", "started_at.desc"),
            ("limit", "1"),
        ]
    )
    either = Logic("or", (Comparison(Field("user1_id"), "eq", "U"), Comparison(Field("user2_id"), "eq", "U")))
    assert query == Query(
        select=(Selected(Field("id")), Selected(Field("user1_id")), Selected(Field("user2_id"))),
        where=(either, Comparison(Field("status"), "eq", "active")),
        order=(Order(Field("started_at"), descending=True),),
        limit=1,
    )


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("eq.1", Comparison(Field("a"), "eq", "1")),
        ("eq.", Comparison(Field("a"), "eq", "")),
        ("not.eq.1", Comparison(Field("a"), "eq", "1", negated=True)),
        ("neq.x.y,(z)", Comparison(Field("a"), "neq", "x.y,(z)")),
        ('eq."quoted"', Comparison(Field("a"), "eq", '"quoted"')),
        ("gte.2026-01-01T00:00:00+00:00", Comparison(Field("a"), "gte", "2026-01-01T00:00:00+00:00")),
        ("like.*x*", Comparison(Field("a"), "like", "*x*")),
        ("is.null", Is(Field("a"), "null")),
        ("is.NULL", Is(Field("a"), "null")),
        ("not.is.not_null", Is(Field("a"), "not_null", negated=True)),
        ("in.(1,2)", Membership(Field("a"), ("1", "2"))),
        ('in.("a,b","c)","d\\"e")', Membership(Field("a"), ("a,b", "c)", 'd"e'))),
        ("in.()", Membership(Field("a"), ())),
        ("not.in.(1)", Membership(Field("a"), ("1",), negated=True)),
        ("match.^x", Comparison(Field("a"), "match", "^x")),
        ("not.isdistinct.1", Comparison(Field("a"), "isdistinct", "1", negated=True)),
        ('cs.{"x":1}', Comparison(Field("a"), "cs", '{"x":1}')),
        ("ov.{1,2}", Comparison(Field("a"), "ov", "{1,2}")),
        ("eq(any).{1,2}", Comparison(Field("a"), "eq", "{1,2}", quantifier="any")),
        ("not.like(all).{*a*,b%}", Comparison(Field("a"), "like", "{*a*,b%}", negated=True, quantifier="all")),
        ("fts.a & b", Search(Field("a"), "fts", "a & b")),
        ("not.plfts(english).a b", Search(Field("a"), "plfts", "a b", "english", negated=True)),
    ],
)
def test_filters(text: str, condition: object) -> None:
    """A filter's value is all that follows the operator; a list knows quotes."""
    assert parse_filter("a", text) == condition


def test_nested_logic() -> None:
    """Conditions nest, negate, and quote."""
    tree = parse_logic("not.or", '(and(a.eq.1,b.not.is.null),not.and(c.in.(1,2),d.eq."x,)"))')
    assert tree == Logic(
        "or",
        (
            Logic("and", (Comparison(Field("a"), "eq", "1"), Is(Field("b"), "null", negated=True))),
            Logic("and", (Membership(Field("c"), ("1", "2")), Comparison(Field("d"), "eq", "x,)")), negated=True),
        ),
        negated=True,
    )


@pytest.mark.parametrize(
    ("pair", "message", "details"),
    [
        (("a", "1"), '"failed to parse filter (1)" (line 1, column 1)', 'unexpected "1" expecting operator'),
        (("a", "foo.1"), '"failed to parse filter (foo.1)" (line 1, column 1)', 'unexpected "f" expecting operator'),
        (("a", "eq"), '"failed to parse filter (eq)" (line 1, column 1)', 'unexpected "e" expecting operator'),
        (("a", "is.maybe"), '"failed to parse filter (is.maybe)" (line 1, column 9)', "expecting null, not_null"),
        (("a", "in.1"), '"failed to parse filter (in.1)" (line 1, column 4)', 'unexpected "1" expecting "("'),
        (("a", "in.(1)x"), '"failed to parse filter (in.(1)x)" (line 1, column 7)', "expecting end of input"),
        (("a", 'in.("x'), '"failed to parse filter (in.("x)" (line 1, column 7)', "unexpected end of input"),
        (("or", "a.eq.1"), '"failed to parse logic tree (a.eq.1)" (line 1, column 1)', 'unexpected "a" expecting "("'),
        (("or", "(a.eq.1"), '"failed to parse logic tree ((a.eq.1)" (line 1, column 8)', "unexpected end of input"),
        (("or", "()"), '"failed to parse logic tree (())" (line 1, column 2)', 'unexpected ")" expecting a column'),
        (("order", "a.up"), '"failed to parse order (a.up)" (line 1, column 3)', 'unexpected "u" expecting asc, desc'),
        (("order", "a.desc.last"), '"failed to parse order (a.desc.last)" (line 1, column 8)', 'unexpected "l"'),
        (("order", "a,,b"), '"failed to parse order (a,,b)" (line 1, column 3)', "expecting a column"),
        (("limit", "9" * 5_000), '"failed to parse limit parameter', "expecting a whole number"),
        (("offset", "9" * 5_000), '"failed to parse offset parameter', "expecting a whole number"),
        (("limit", "99999999999"), '"failed to parse limit parameter', "expecting a whole number"),
        (("offset", "x"), '"failed to parse offset parameter (x)"', "expecting a whole number"),
        (("a", "neq(any).{1}"), '"failed to parse filter (neq(any).{1})" (line 1, column 1)', "expecting operator"),
        (("a", "eq(some).{1}"), '"failed to parse filter (eq(some).{1})" (line 1, column 1)', "expecting operator"),
        (("a", "in(any).(1)"), '"failed to parse filter (in(any).(1))" (line 1, column 1)', "expecting operator"),
        (("select", "a:b:c"), '"failed to parse select parameter (a:b:c)" (line 1, column 4)', 'unexpected ":"'),
        (("select", ":a"), '"failed to parse select parameter (:a)"', "expecting a column"),
        (("select", "a,,b"), '"failed to parse select parameter (a,,b)"', "expecting a column"),
        (("select", "a;drop"), '"failed to parse select parameter (a;drop)" (line 1, column 2)', 'unexpected ";"'),
        (("select", 'a->"b'), '"failed to parse select parameter (a->"b)"', "unexpected end of input"),
        (("select", "a->"), '"failed to parse select parameter (a->)"', "expecting a key or an index"),
        (("select", "a)"), '"failed to parse select parameter (a))"', 'unexpected ")"'),
        (("a->", "eq.1"), '"failed to parse filter (a->)" (line 1, column 4)', "expecting a key or an index"),
        (("a->b)", "eq.1"), '"failed to parse filter (a->b))" (line 1, column 5)', "expecting end of input"),
        (("or", "(a->>b)"), '"failed to parse logic tree ((a->>b))"', 'expecting "."'),
    ],
)
def test_refusals_say_where(pair: tuple[str, str], message: str, details: str) -> None:
    """What does not follow the grammar is PGRST100, with the text, the place and what was expected."""
    with pytest.raises(RestError) as caught:
        parse_query([pair])
    assert (caught.value.status, caught.value.code) == (400, "PGRST100")
    assert caught.value.message.startswith(message)
    assert details in (caught.value.details or "")


@pytest.mark.parametrize(
    ("pair", "named"),
    [
        (("select", "id,partner:profiles(*)"), "embedding another table (select=id,partner:profiles(*))"),
        (("select", "...profiles(*)"), "embedding another table (select=...profiles(*))"),
        (("select", "profiles!inner(id)"), "embedding another table (select=profiles!inner(id))"),
        (("order", "profiles(id).desc"), "an order by another table (order=profiles(id).desc)"),
        (("profiles.id", "eq.1"), "a filter on another table ('profiles.id')"),
        (("profiles.tags->>0", "eq.1"), "a filter on another table ('profiles.tags->>0')"),
    ],
)
def test_what_is_not_served_is_named(pair: tuple[str, str], named: str) -> None:
    """What PostgREST has and this server has not is PGRST127, and the details name it."""
    with pytest.raises(RestError) as caught:
        parse_query([pair])
    assert (caught.value.status, caught.value.code) == (400, "PGRST127")
    assert caught.value.details == f"{named} is not served by this server"


def path(text: str) -> Field:
    """The field of a select that has only that."""
    (item,) = parse_select(text) or ()
    return item.field


@pytest.mark.parametrize(
    ("text", "steps", "name"),
    [
        ("a->b", (Step("b"),), "b"),
        ("a->>b", (Step("b", as_text=True),), "b"),
        ("a->b->c->>d", (Step("b"), Step("c"), Step("d", as_text=True)), "d"),
        ("a->0->>-1", (Step(0), Step(-1, as_text=True)), "a"),
        ("a->b->>2", (Step("b"), Step(2, as_text=True)), "b"),
        ("a->2b", (Step("2b"),), "2b"),
        ("a->b-c", (Step("b-c"),), "b-c"),
        ("a->b c'--;", (Step("b c'--;"),), "b c'--;"),
        ('a->"x.y->z,(\\"1\\")"', (Step('x.y->z,("1")'),), 'x.y->z,("1")'),
        ('a->>"0"', (Step("0", as_text=True),), "0"),
    ],
)
def test_paths_into_json(text: str, steps: tuple[Step, ...], name: str) -> None:
    """Keys, indices and quoted keys; the answer's member is called by the last key, or else by the column."""
    assert path(text) == Field("a", steps)
    assert path(text).name == name


def test_paths_in_every_part_of_a_query() -> None:
    """A path stands wherever a column can: selected (with an alias and a cast), compared, in logic, ordered."""
    tags = Field("a", (Step("tags"), Step(0, as_text=True)))
    query = parse_query(
        [
            ("select", "first:a->tags->>0::text,id"),
            ("a->tags->>0", "not.in.(x,y)"),
            ("or", "(a->tags->>0.eq.x,not.and(a->tags->>0.is.null,b.eq.1))"),
            ("order", "a->tags->>0.desc.nullslast,b"),
        ]
    )
    inner = Logic("and", (Is(tags, "null"), Comparison(Field("b"), "eq", "1")), negated=True)
    assert query == Query(
        select=(Selected(tags, "first", "text"), Selected(Field("id"))),
        where=(Membership(tags, ("x", "y"), negated=True), Logic("or", (Comparison(tags, "eq", "x"), inner))),
        order=(Order(tags, descending=True, nulls="last"), Order(Field("b"))),
    )


@pytest.mark.parametrize("text", ["count()", "id.count()", "n:id.max()", "a,id.sum()::text"])
def test_aggregates_are_not_allowed(text: str) -> None:
    """As on Supabase, an aggregate in select is PGRST123."""
    with pytest.raises(RestError, match="Use of aggregate functions is not allowed") as caught:
        parse_select(text)
    assert (caught.value.status, caught.value.code) == (400, "PGRST123")


def test_logic_has_a_floor() -> None:
    """Logic nested too deep is refused instead of exhausting the stack."""
    with pytest.raises(RestError, match="Feature not implemented"):
        parse_logic("and", "(" + "and(" * 5000 + "a.eq.1" + ")" * 5001)
    parse_logic("and", "(" + "and(" * (DEEPEST - 1) + "a.eq.1" + ")" * DEEPEST)


def test_select_and_order() -> None:
    """`*` and nothing mean every column; an order has a direction and a place for nulls."""
    assert parse_select("*") is None
    assert parse_select("") is None
    assert parse_select("a, b") == (Selected(Field("a")), Selected(Field("b")))
    assert parse_select("*,x:a::text,b::int") == (
        Selected(Field("*")),
        Selected(Field("a"), "x", "text"),
        Selected(Field("b"), "", "int"),
    )
    assert parse_order("a.desc.nullslast,b") == (Order(Field("a"), descending=True, nulls="last"), Order(Field("b")))


_TEXT = st.text(alphabet='abeqinotrd.,()"\\*123 ->:', max_size=40)


@given(
    st.lists(
        st.tuples(st.sampled_from(["select", "order", "limit", "or", "and", "columns", "a", "a->b", "a->"]), _TEXT)
    )
)
def test_any_query_is_read_or_refused(pairs: list[tuple[str, str]]) -> None:
    """Whatever the query string, the grammar answers with a tree or with its own error."""
    try:
        assert isinstance(parse_query(pairs), Query)
    except RestError as error:
        assert error.code in {"PGRST100", "PGRST103", "PGRST123", "PGRST127", "42704"}


def test_a_list_in_logic_keeps_its_commas() -> None:
    """In braces commas and parentheses belong to the value; after them the logic goes on."""
    tree = parse_logic("or", '(a.cs.{"x":{"y":[1,2]}},b.eq(any).{1,2},c.eq.3)')
    assert tree.conditions == (
        Comparison(Field("a"), "cs", '{"x":{"y":[1,2]}}'),
        Comparison(Field("b"), "eq", "{1,2}", quantifier="any"),
        Comparison(Field("c"), "eq", "3"),
    )


def test_type_of_a_cast_is_known() -> None:
    """A cast to a type that is not on the list is PostgreSQL's own error for an unknown type."""
    with pytest.raises(RestError) as caught:
        parse_select("id::regclass")
    assert (caught.value.status, caught.value.code, caught.value.message) == (
        400,
        "42704",
        'type "regclass" does not exist',
    )


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("0-9", Query(), (0, 10)),
        ("5-", Query(), (5, 2**31 - 5)),
        ("0-9", Query(offset=5, limit=100), (5, 5)),
        ("3-9", Query(limit=5), (3, 2)),
        ("8-9", Query(limit=5), (8, 0)),
        ("items=0-9", Query(offset=2, limit=3), (2, 3)),
        ("x", Query(), (0, None)),
    ],
)
def test_range_header(text: str, query: Query, expected: tuple[int, int | None]) -> None:
    """A Range header narrows what the parameters ask for; one that is none is passed over."""
    found = parse_range(text, query)
    assert (found.offset, found.limit) == expected


@pytest.mark.parametrize("pairs", [[("limit", "-1")], [("offset", "-5")]])
def test_rows_before_the_first(pairs: list[tuple[str, str]]) -> None:
    """A negative limit or offset is 416 PGRST103."""
    with pytest.raises(RestError) as caught:
        parse_query(pairs)
    assert (caught.value.status, caught.value.code) == (416, "PGRST103")


def test_range_that_ends_before_it_begins() -> None:
    """So is a Range header whose bounds are the wrong way round."""
    with pytest.raises(RestError, match="range not satisfiable"):
        parse_range("9-0", Query())


@pytest.mark.parametrize(
    ("text", "filters"), [("eq.1", True), ("not.in.(1)", True), ("fts(en).x", True), ("foo.1", False), ("1", False)]
)
def test_arguments_and_conditions_are_told_apart(text: str, filters: bool) -> None:
    """The value of a parameter is a condition where it begins with an operator."""
    assert is_filter(text) is filters
