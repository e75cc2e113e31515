"""Tree → SQL: names come from the catalogue, values are parameters, nothing of a request becomes a statement's text."""
# ruff: noqa: S608 — this is the one place that builds statements, under the rule above

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from reference_server.rest.catalogue import Function, Table
from reference_server.rest.errors import RestError, not_served
from reference_server.rest.tree import (
    COMPARISONS,
    PATTERNS,
    SEARCHES,
    TESTS,
    Comparison,
    Condition,
    Field,
    Is,
    Logic,
    Membership,
    Query,
    Search,
    Selected,
)

MAX_ROWS = 1000
"""Rows of one answer at most, as Supabase sets it (PROTOCOL 2.2)."""
MOST_NAMED = 50
"""Items of `select=` at most where one is renamed: a function of PostgreSQL takes 100 arguments."""
ALL = Query()
Resolution = Literal["merge-duplicates", "ignore-duplicates"]
Returning = Literal["rows", "key", "nothing"]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that answers with one row: `body` (JSON as text) and `rows` (how many).

    An upsert's has a third column, `inserted`: how many of the rows are new ones.
    """

    text: str
    parameters: tuple[Any, ...]


@dataclass
class _Parameters:
    values: list[Any] = field(default_factory=list)

    def add(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def select(table: Table, query: Query, *, strip_nulls: bool = False) -> Statement:
    """The rows that the query asks for."""
    return _select(table, f"public.{table.name}", query, _Parameters(), strip_nulls)


def count(table: Table, query: Query) -> Statement:
    """How many rows the query's conditions let through, without its limits; `body` is empty."""
    parameters = _Parameters()
    text = f"select '' as body, count(*) as rows from public.{table.name}{_where(table, query, parameters)}"
    return Statement(text, tuple(parameters.values))


def count_to(table: Table, query: Query, most: int) -> Statement:
    """The same, but no further than `most`."""
    parameters = _Parameters()
    inner = f"select 1 from public.{table.name}{_where(table, query, parameters)} limit {parameters.add(most)}::bigint"
    return Statement(f"select '' as body, count(*) as rows from ({inner}) as counted", tuple(parameters.values))


def plan(table: Table, query: Query) -> Statement:
    """What the planner expects the query's conditions to let through: one column, the plan as JSON."""
    parameters = _Parameters()
    text = f"explain (format json) select 1 from public.{table.name}{_where(table, query, parameters)}"
    return Statement(text, tuple(parameters.values))


def insert(
    table: Table,
    query: Query,
    body: str,
    columns: tuple[str, ...],
    resolution: Resolution | None,
    *,
    returning: Returning = "nothing",
    defaults: bool = False,
) -> Statement:
    """Rows from `body`, a JSON array of objects; a column that an object lacks is null, or its default."""
    parameters = _Parameters()
    if not columns:
        source = "default values"
    else:
        names = ", ".join(_column(table, name) for name in columns)
        read = ", ".join(_read(table, name, defaults) for name in columns)
        definitions = _definitions(table.columns, columns)
        given = parameters.add(body)
        rows = (
            f"jsonb_array_elements({given}::text::jsonb) as item, lateral jsonb_to_record(item) as new({definitions})"
            if defaults
            else f"json_to_recordset({given}::text::json) as new({definitions})"
        )
        source = f"({names}) select {read} from {rows}"
    text = f"insert into public.{table.name} {source}{_on_conflict(table, query, columns, resolution)}"
    return _change(table, query, text, parameters, returning, merging=resolution == "merge-duplicates")


def update(
    table: Table, query: Query, body: str, columns: tuple[str, ...], *, returning: Returning = "nothing"
) -> Statement:
    """Sets the columns of `body`, a JSON object, in the rows that the query's conditions let through."""
    parameters = _Parameters()
    assignments = ", ".join(f"{_column(table, name)} = new.{_column(table, name)}" for name in columns)
    rows = f"json_to_record({parameters.add(body)}::text::json) as new({_definitions(table.columns, columns)})"
    text = f"update public.{table.name} set {assignments} from {rows}{_where(table, query, parameters)}"
    return _change(table, query, text, parameters, returning)


def delete(table: Table, query: Query, *, returning: Returning = "nothing") -> Statement:
    """Deletes the rows that the query's conditions let through."""
    parameters = _Parameters()
    text = f"delete from public.{table.name}{_where(table, query, parameters)}"
    return _change(table, query, text, parameters, returning)


def call(
    function: Function, body: str, given: frozenset[str], query: Query = ALL, *, strip_nulls: bool = False
) -> Statement:
    """Calls a function with the members of `body`, a JSON object, as its named arguments.

    Where it answers with rows, the query chooses among them.
    """
    parameters = _Parameters()
    names = tuple(name for name in function.arguments if name in given)
    arguments = ", ".join(f"{name} => given.{name}" for name in names)
    invocation = f"public.{function.name}({arguments})"
    source = ""
    if names:
        definitions = _definitions(function.arguments, names)
        source = f"json_to_record({parameters.add(body)}::text::json) as given({definitions}), "
    if function.result == "rows":
        rows = Table(function.name, function.columns, ())
        # Called once for all: a limit must not end a function that changes something.
        called = f"(select result.* from {source}lateral {invocation} as result offset 0) as {function.name}"
        return _select(rows, called, query, parameters, strip_nulls)
    if query != ALL:
        raise not_served(f"a choice among the rows of {function.name}, which answers with one value,")
    value = "''" if function.result == "void" else "coalesce(to_json(result.value)::text, 'null')"
    text = f"select {value} as body, 1::bigint as rows from {source}lateral (select {invocation} as value) as result"
    return Statement(text, tuple(parameters.values))


def _select(table: Table, source: str, query: Query, parameters: _Parameters, strip_nulls: bool) -> Statement:
    columns, rows = _shape(table, _items(table, query), parameters)
    where = _where(table, query, parameters)
    limit = parameters.add(min(MAX_ROWS, query.limit if query.limit is not None else MAX_ROWS))
    text = (
        f"select {columns} from {source}{where}{_order(table, query, parameters)}"
        f" limit {limit}::bigint offset {parameters.add(query.offset)}::bigint"
    )
    if strip_nulls:
        rows = f"json_strip_nulls({rows})"
    return Statement(f"select {rows}::text as body, count(*) as rows from ({text}) as answer", tuple(parameters.values))


def _change(
    table: Table, query: Query, text: str, parameters: _Parameters, returning: Returning, *, merging: bool = False
) -> Statement:
    """A change that answers with the changed rows, or only with their number.

    `returning 1` needs no right to see them: a row may be made that its maker cannot read. Of an upsert the new rows
    are counted as well: those whose `xmax` is 0, for nobody has held or replaced them.
    """
    if returning == "nothing":
        columns, rows = "1 as one", "''"
    else:
        items = _items(table, query) if returning == "rows" else tuple(Selected(Field(name)) for name in table.key)
        columns, shaped = _shape(table, items, parameters, renamed=merging)
        rows = f"{shaped}::text"
    inserted = ""
    if merging:
        columns += f", {table.name}.xmax = 0 as fresh"
        inserted = ", count(*) filter (where answer.fresh) as inserted"
    whole = f"with answer as ({text} returning {columns}) select {rows} as body, count(*) as rows{inserted} from answer"
    return Statement(whole, tuple(parameters.values))


def _items(table: Table, query: Query) -> tuple[Selected, ...]:
    """What is selected, with every column in the place of `*`."""
    every = tuple(Selected(Field(name)) for name in table.columns)
    if query.select is None:
        return every
    return tuple(item for asked in query.select for item in (every if asked.field.column == "*" else (asked,)))


def _shape(
    table: Table, items: tuple[Selected, ...], parameters: _Parameters, *, renamed: bool = False
) -> tuple[str, str]:
    """The columns to select, and the JSON array of the rows of `answer` that they make.

    A name that the request gives is a value and never a name of the statement.
    """
    columns = [_field(table, item.field, parameters)[0] + (f"::{item.cast}" if item.cast else "") for item in items]
    if not renamed and not any(item.alias or item.cast or item.field.path for item in items):
        return ", ".join(columns), "coalesce(json_agg(answer), '[]')"
    if len(items) > MOST_NAMED:
        raise not_served(f"more than {MOST_NAMED} columns in select where one is renamed")
    members = (f"{parameters.add(item.alias or item.field.name)}::text, answer.c{n}" for n, item in enumerate(items))
    numbered = ", ".join(f"{column} as c{n}" for n, column in enumerate(columns))
    return numbered, f"coalesce(json_agg(json_build_object({', '.join(members)})), '[]')"


def _column(table: Table, name: str) -> str:
    if name not in table.columns:
        raise RestError(400, "42703", f"column {table.name}.{name} does not exist")
    return name


def _field(table: Table, field: Field, parameters: _Parameters) -> tuple[str, str]:
    """A column, or what lies within its JSON, and PostgreSQL's name of its type. A step is a parameter as well."""
    text, kind = f"{table.name}.{_column(table, field.column)}", table.columns[field.column]
    if not field.path:
        return text, kind
    if kind != "jsonb":
        text = f"to_jsonb({text})"
    for step in field.path:
        key = parameters.add(str(step.key)) + ("::text::int" if isinstance(step.key, int) else "::text")
        text = f"({text} {'->>' if step.as_text else '->'} {key})"
    return text, "text" if field.path[-1].as_text else "jsonb"


def _read(table: Table, name: str, defaults: bool) -> str:
    """A column of a new row, or its default where the object `item` does not have it."""
    if not defaults or name not in table.defaults:
        return f"new.{name}"
    return f"case when jsonb_exists(item, '{name}') then new.{name} else {table.defaults[name]} end"


def _definitions(types: dict[str, str], names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {types[name]}" for name in names)


def _order(table: Table, query: Query, parameters: _Parameters) -> str:
    terms = [
        f"{_field(table, term.field, parameters)[0]}{' desc' if term.descending else ''}"
        f"{f' nulls {term.nulls}' if term.nulls else ''}"
        for term in query.order
    ]
    return f" order by {', '.join(terms)}" if terms else ""


def _where(table: Table, query: Query, parameters: _Parameters) -> str:
    conditions = [_condition(table, condition, parameters) for condition in query.where]
    return f" where {' and '.join(conditions)}" if conditions else ""


def _condition(table: Table, condition: Condition, parameters: _Parameters) -> str:
    if isinstance(condition, Logic):
        inner = [_condition(table, part, parameters) for part in condition.conditions]
        text = f"({f' {condition.operator} '.join(inner)})"
    else:
        field, kind = _field(table, condition.field, parameters)
        text = f"({_operation(field, kind, condition, parameters)})"
    return f"(not {text})" if condition.negated else text


def _operation(field: str, kind: str, condition: Comparison | Search | Membership | Is, parameters: _Parameters) -> str:
    match condition:
        case Is():
            return f"{field} {TESTS[condition.what]}"
        case Membership():
            return f"{field} = any ({parameters.add(list(condition.values))}::text[]::{kind}[])"
        case Search():
            language = f"{parameters.add(condition.language)}::text::regconfig, " if condition.language else ""
            words = f"{SEARCHES[condition.operator]}({language}{parameters.add(condition.words)}::text)"
            return f"to_tsvector({language}{field}) @@ {words}"
        case Comparison():
            return f"{field} {_comparison(condition, kind, parameters)}"


def _comparison(condition: Comparison, kind: str, parameters: _Parameters) -> str:
    value, operator = condition.value, COMPARISONS[condition.operator]
    if condition.operator in {"like", "ilike"}:
        value = value.replace("*", "%")
    if condition.operator in PATTERNS:
        kind = "text"
    if condition.quantifier:
        return f"{operator} {condition.quantifier} ({parameters.add(value)}::text::{kind}[])"
    return f"{operator} {parameters.add(value)}::text{'' if kind == 'text' else f'::{kind}'}"


def _on_conflict(table: Table, query: Query, columns: tuple[str, ...], resolution: Resolution | None) -> str:
    if resolution is None:
        return ""
    target = ", ".join(_column(table, name) for name in query.on_conflict or table.key)
    if resolution == "ignore-duplicates" or not columns:
        return f" on conflict ({target}) do nothing"
    assignments = ", ".join(f"{name} = excluded.{name}" for name in columns)
    return f" on conflict ({target}) do update set {assignments}"
