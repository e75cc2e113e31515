"""Filter texts, their errors, and what passes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reference_server.realtime.filters import MAX_IN_VALUES, Condition, FilterError, compile_condition, parse_filter


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        (None, ()),
        ("", ()),
        ("user1_id=eq.abc", (Condition("user1_id", "eq", ("abc",)),)),
        ("content=eq.a=b.c", (Condition("content", "eq", ("a=b.c",)),)),
        ("content=neq.", (Condition("content", "neq", ("",)),)),
        ("n=gte.5", (Condition("n", "gte", ("5",)),)),
        ("status=in.(active, ended)", (Condition("status", "in", ("active", "ended")),)),
    ],
)
def test_filters_parse(text: str | None, conditions: tuple[Condition, ...]) -> None:
    """`column=operator.value`; the value is all that follows the first dot."""
    assert parse_filter(text) == conditions


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("undefined", '["undefined"]'),
        ("col=foo.hey", '["foo", "hey"]'),
        ("col=eq", '["eq"]'),
        ("col=in.1,2", "`in` filter value must be wrapped by parentheses"),
        ("col=eq.1,2", '["2"]'),
        ("col=eq.1,", "filter must not contain empty segments (check for extra commas)"),
        ("col=not.foo.hey", '["foo", "hey"]'),
        ("col=is.maybe", '["is", "maybe"]'),
    ],
)
def test_what_cannot_be_parsed_is_said_as_the_real_server_says_it(text: str, said: str) -> None:
    """PROTOCOL 1.4: the parts that were not understood, as a list."""
    with pytest.raises(FilterError) as raised:
        parse_filter(text)
    assert str(raised.value) == f"Error parsing `filter` params: {said}"


def test_a_list_has_a_limit() -> None:
    """`in` takes 100 values and not one more."""
    values = ",".join(str(number) for number in range(MAX_IN_VALUES))
    assert len(parse_filter(f"n=in.({values})")[0].values) == MAX_IN_VALUES
    with pytest.raises(FilterError, match="too many values"):
        parse_filter(f"n=in.({values},x)")


@pytest.mark.parametrize(
    ("op", "type_name", "wanted", "passing", "failing"),
    [
        ("eq", "uuid", ("a",), ["a"], ["b"]),
        ("neq", "text", ("a",), ["b", "A"], ["a"]),
        ("lt", "int4", ("10",), ["9", "-10"], ["10", "11"]),
        ("lte", "numeric", ("1.50",), ["1.5", "1"], ["1.51"]),
        ("gt", "int8", ("9",), ["10"], ["9", "8"]),
        (
            "gte",
            "timestamptz",
            ("2026-01-01 00:00:00+00",),
            ["2026-01-01 00:00:00+00", "2026-01-01 00:00:00.5+00"],
            ["2025-12-31 23:59:59.9+00"],
        ),
        ("in", "text", ("a", "b"), ["a", "b"], ["c"]),
        ("in", "numeric", ("1.0", "2"), ["1.00", "2.0"], ["3"]),
        ("eq", "bool", ("t",), ["t"], ["f"]),
    ],
)
def test_conditions_compare_by_the_columns_type(
    op: str, type_name: str, wanted: tuple[str, ...], passing: list[str], failing: list[str]
) -> None:
    """Numbers compare as numbers, the others as their one text."""
    test = compile_condition(Condition("c", op, wanted, type_name))
    assert [value for value in passing + failing if test(value)] == passing


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        (" a=eq.1 , b=lt.2 ", (Condition("a", "eq", ("1",)), Condition("b", "lt", ("2",)))),
        ('a=eq."1,2",b=in.("x,y",z)', (Condition("a", "eq", ("1,2",)), Condition("b", "in", ("x,y", "z")))),
        (r'a=eq."say \"hi\""', (Condition("a", "eq", ('say "hi"',)),)),
        ('a=eq."open', (Condition("a", "eq", ('"open',)),)),
        ("a=not.in.(1,2)", (Condition("a", "in", ("1", "2"), negate=True),)),
        ("a=is.NULL,b=not.is.true", (Condition("a", "is", ("null",)), Condition("b", "is", ("true",), negate=True))),
        ("a=isdistinct.x", (Condition("a", "isdistinct", ("x",)),)),
        ("  ", ()),
    ],
)
def test_several_conditions_and_quoted_values(text: str, conditions: tuple[Condition, ...]) -> None:
    """A comma outside of quotes and parentheses joins conditions; `not.` negates one."""
    assert parse_filter(text) == conditions


@pytest.mark.parametrize(
    ("op", "pattern", "passing", "failing"),
    [
        ("like", "a%c", ["ac", "abc", "a\nc"], ["AbC", "abcd", "c"]),
        ("like", "a%b%c", ["abc", "a-b-c"], ["acb", "ab"]),
        ("like", "aba%aba", ["abaaba", "aba-aba"], ["ababa", "aba"]),
        ("like", "_b", ["ab"], ["b", "aab"]),
        ("like", r"100\%", ["100%"], ["1000"]),
        ("like", "%", ["", "x"], []),
        ("like", "a.c", ["a.c"], ["abc"]),
        ("ilike", "%ÄB%", ["xäbx"], ["ax"]),
    ],
)
def test_patterns(op: str, pattern: str, passing: list[str], failing: list[str]) -> None:
    """LIKE as PostgreSQL has it: the whole value, `%` for any text, `_` for one letter, `\\` before either."""
    test = compile_condition(Condition("c", op, (pattern,), "text"))
    assert [value for value in passing + failing if test(value)] == passing
    negated = compile_condition(Condition("c", op, (pattern,), "text", negate=True))
    assert [value for value in passing + failing if negated(value)] == failing


def test_no_pattern_takes_long() -> None:
    """A pattern that a backtracking matcher would ponder for ever is decided at once."""
    test = compile_condition(Condition("c", "like", ("%a" * 40 + "b",), "text"))
    assert not test("a" * 100_000)


@pytest.mark.parametrize(
    ("value", "negate", "null", "passing"),
    [
        ("null", False, True, []),
        ("null", True, False, ["t", "f"]),
        ("not_null", False, False, ["t", "f"]),
        ("true", False, False, ["t"]),
        ("true", True, True, ["f"]),
        ("false", False, False, ["f"]),
        ("unknown", False, True, []),
    ],
)
def test_is_knows_null(value: str, negate: bool, null: bool, passing: list[str]) -> None:
    """`is` is true or false of a null, where every other operator is neither."""
    condition = Condition("c", "is", (value,), "bool", negate)
    test = compile_condition(condition)
    assert (condition.takes_null, [text for text in ("t", "f") if test(text)]) == (null, passing)
    assert Condition("c", "isdistinct", ("x",)).takes_null
    assert not Condition("c", "neq", ("x",)).takes_null


def test_only_equality_of_texts_is_indexed() -> None:
    """1.5 equals 1.50 as a number: such a column cannot be found by its text; nor can a range."""
    condition = Condition("c", "eq", ("1",), "uuid")
    kinds = [
        condition,
        replace(condition, op="in"),
        replace(condition, op="lt"),
        replace(condition, type_name="numeric"),
    ]
    assert [one.indexable for one in kinds] == [True, True, False, False]
