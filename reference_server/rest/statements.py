"""Tree → SQL: names come from the catalogue, values are parameters, nothing of a request becomes a statement's text."""
# ruff: noqa: S608 — this is the one place that builds statements, under the rule above

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from reference_server.rest.catalogue import Function, Table
from reference_server.rest.errors import RestError
from reference_server.rest.tree import COMPARISONS, TESTS, Comparison, Condition, Is, Logic, Membership, Query

MAX_ROWS = 1000
"""Rows of one answer at most, as Supabase sets it (PROTOCOL 2.2)."""
Resolution = Literal["merge-duplicates", "ignore-duplicates"]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that answers with one row: `body` (JSON as text) and `rows` (how many)."""

    text: str
    parameters: tuple[Any, ...]


@dataclass
class _Parameters:
    values: list[Any] = field(default_factory=list)

    def add(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def select(table: Table, query: Query) -> Statement:
    """The rows that the query asks for."""
    parameters = _Parameters()
    limit = min(MAX_ROWS, query.limit if query.limit is not None else MAX_ROWS)
    text = (
        f"select {_select_list(table, query)} from public.{table.name}{_where(table, query, parameters)}"
        f"{_order(table, query)} limit {parameters.add(limit)}::bigint offset {parameters.add(query.offset)}::bigint"
    )
    return _answer(text, parameters)


def count(table: Table, query: Query) -> Statement:
    """How many rows the query's conditions let through, without its limits; `body` is empty."""
    parameters = _Parameters()
    text = f"select '' as body, count(*) as rows from public.{table.name}{_where(table, query, parameters)}"
    return Statement(text, tuple(parameters.values))


def insert(
    table: Table, query: Query, body: str, columns: tuple[str, ...], resolution: Resolution | None, *, returning: bool
) -> Statement:
    """Rows from `body`, a JSON array of objects; a column that an object lacks is null."""
    parameters = _Parameters()
    if not columns:
        source = "default values"
    else:
        names = ", ".join(_column(table, name) for name in columns)
        read = ", ".join(f"new.{_column(table, name)}" for name in columns)
        rows = f"json_to_recordset({parameters.add(body)}::text::json) as new({_definitions(table.columns, columns)})"
        source = f"({names}) select {read} from {rows}"
    text = f"insert into public.{table.name} {source}{_on_conflict(table, query, columns, resolution)}"
    return _change(table, query, text, parameters, returning=returning)


def update(table: Table, query: Query, body: str, columns: tuple[str, ...], *, returning: bool) -> Statement:
    """Sets the columns of `body`, a JSON object, in the rows that the query's conditions let through."""
    parameters = _Parameters()
    assignments = ", ".join(f"{_column(table, name)} = new.{_column(table, name)}" for name in columns)
    rows = f"json_to_record({parameters.add(body)}::text::json) as new({_definitions(table.columns, columns)})"
    text = f"update public.{table.name} set {assignments} from {rows}{_where(table, query, parameters)}"
    return _change(table, query, text, parameters, returning=returning)


def delete(table: Table, query: Query, *, returning: bool) -> Statement:
    """Deletes the rows that the query's conditions let through."""
    parameters = _Parameters()
    text = f"delete from public.{table.name}{_where(table, query, parameters)}"
    return _change(table, query, text, parameters, returning=returning)


def call(function: Function, body: str, given: frozenset[str]) -> Statement:
    """Calls a function with the members of `body`, a JSON object, as its named arguments."""
    parameters = _Parameters()
    names = tuple(name for name in function.arguments if name in given)
    arguments = ", ".join(f"{name} => given.{name}" for name in names)
    invocation = f"public.{function.name}({arguments})"
    source = ""
    if names:
        source = (
            f"json_to_record({parameters.add(body)}::text::json) as given({_definitions(function.arguments, names)}), "
        )
    if function.result == "rows":
        return _answer(f"select result.* from {source}lateral {invocation} as result", parameters)
    value = "''" if function.result == "void" else "coalesce(to_json(result.value)::text, 'null')"
    text = f"select {value} as body, 1::bigint as rows from {source}lateral (select {invocation} as value) as result"
    return Statement(text, tuple(parameters.values))


def _answer(text: str, parameters: _Parameters) -> Statement:
    whole = f"select coalesce(json_agg(answer), '[]')::text as body, count(*) as rows from ({text}) as answer"
    return Statement(whole, tuple(parameters.values))


def _change(table: Table, query: Query, text: str, parameters: _Parameters, *, returning: bool) -> Statement:
    """A change that answers with the changed rows, or only with their number.

    `returning 1` needs no right to see them: a row may be made that its maker cannot read.
    """
    if returning:
        whole = f"with answer as ({text} returning {_select_list(table, query)}) "
        whole += "select coalesce(json_agg(answer), '[]')::text as body, count(*) as rows from answer"
    else:
        whole = f"with answer as ({text} returning 1) select '' as body, count(*) as rows from answer"
    return Statement(whole, tuple(parameters.values))


def _column(table: Table, name: str) -> str:
    if name not in table.columns:
        raise RestError(400, "42703", f"column {table.name}.{name} does not exist")
    return name


def _definitions(types: dict[str, str], names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {types[name]}" for name in names)


def _select_list(table: Table, query: Query) -> str:
    names = query.select if query.select is not None else tuple(table.columns)
    return ", ".join(f"{table.name}.{_column(table, name)}" for name in names)


def _order(table: Table, query: Query) -> str:
    terms = [
        f"{table.name}.{_column(table, term.column)}{' desc' if term.descending else ''}"
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
        column = f"{table.name}.{_column(table, condition.column)}"
        text = f"({column} {_operation(table.columns[condition.column], condition, parameters)})"
    return f"(not {text})" if condition.negated else text


def _operation(kind: str, condition: Comparison | Membership | Is, parameters: _Parameters) -> str:
    match condition:
        case Is():
            return TESTS[condition.what]
        case Membership():
            return f"= any ({parameters.add(list(condition.values))}::text[]::{kind}[])"
        case Comparison(operator="like" | "ilike"):
            return f"{condition.operator} {parameters.add(condition.value.replace('*', '%'))}::text"
        case _:
            return f"{COMPARISONS[condition.operator]} {parameters.add(condition.value)}::text::{kind}"


def _on_conflict(table: Table, query: Query, columns: tuple[str, ...], resolution: Resolution | None) -> str:
    if resolution is None:
        return ""
    target = ", ".join(_column(table, name) for name in query.on_conflict or table.key)
    if resolution == "ignore-duplicates" or not columns:
        return f" on conflict ({target}) do nothing"
    assignments = ", ".join(f"{name} = excluded.{name}" for name in columns)
    return f" on conflict ({target}) do update set {assignments}"
