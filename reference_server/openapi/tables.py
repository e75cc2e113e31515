"""The operations of /rest/v1, made from the catalogue: one address for each table and each function."""

from __future__ import annotations

from reference_server.openapi.parts import (
    ROLES,
    TEXT,
    TIME,
    UUID,
    Schema,
    answer,
    array,
    body,
    header,
    nullable,
    operation,
    query,
    record,
    ref,
)
from reference_server.rest.catalogue import Catalogue, Function, Table
from reference_server.rest.preferences import OBJECT as OBJECT_FORM
from reference_server.rest.tree import CASTS, COMPARISONS, QUANTIFIED, SEARCHES, TESTS

_TYPES: dict[str, Schema] = {
    "uuid": UUID,
    "text": TEXT,
    "timestamp with time zone": TIME,
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    "bigint": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "jsonb": {},
}
_WHOLE: Schema = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
_PLAIN = "|".join(sorted(COMPARISONS))
_QUANTIFIED = "|".join(sorted(QUANTIFIED))
_CONDITION: Schema = {
    "type": "string",
    "pattern": rf"^(not\.)?(({_PLAIN})\..*|({_QUANTIFIED})\((any|all)\)\.\{{.*\}}|({'|'.join(SEARCHES)})\..*"
    rf"|in\.\([^()]*\)|is\.({'|'.join(TESTS)}))$",
}
_PATH = "(->[a-z_]+|->[0-9])*(->>[a-z_]+|->>[0-9])?"
_REFUSED = {"default": answer("Refused", {"anyOf": [ref("RestError"), ref("GatewayError")]})}
_MADE = "{}; the rows, where `Prefer: return=representation` wants them back, else no body"
"""OpenAPI cannot say that an answer has a body or has none."""
_LOGIC = tuple(
    query(name, TEXT, f"`{name}=(a.eq.1,not.b.is.null)`; a condition on a column is `column=operator.value`")
    for name in ("or", "and", "not.or", "not.and")
)
_ROWS = (query("limit", _WHOLE, "Rows"), query("offset", _WHOLE, "Rows to pass over"))
_PREFER = header("Prefer", TEXT, "Preferences of RFC 7240: return, count, resolution, missing, handling, max-affected")
_RANGE = header("Range", TEXT, "`0-9`: the first ten rows")


def table_paths(catalogue: Catalogue) -> dict[str, Schema]:
    """The addresses under /rest/v1."""
    paths = {f"/rest/v1/{table.name}": _table(table) for table in catalogue.tables.values()}
    return paths | {f"/rest/v1/rpc/{name}": _function(function) for name, function in catalogue.functions.items()}


def table_schemas(catalogue: Catalogue) -> dict[str, Schema]:
    """A row of each table; no member is required, for a request may select and may leave out."""
    return {table.name: record(**_columns(table.columns, null=True)) for table in catalogue.tables.values()}


def _columns(types: dict[str, str], *, null: bool = False) -> dict[str, Schema]:
    return {name: nullable(_type(kind)) if null else _type(kind) for name, kind in types.items()}


def _type(kind: str) -> Schema:
    return _TYPES.get(kind, {})


def _order(table: Table) -> Schema:
    term = rf"({'|'.join(table.columns)}){_PATH}(\.(asc|desc))?(\.nulls(first|last))?"
    return query("order", {"type": "string", "pattern": rf"^{term}(,{term})*$"}, "`a.desc.nullslast,b`")


def _select(table: Table) -> Schema:
    item = rf"([a-z]+:)?({'|'.join(table.columns)}){_PATH}(::({'|'.join(sorted(CASTS))}))?"
    return query(
        "select",
        {"type": "string", "pattern": rf"^(\*|{item}(,{item})*)$"},
        "`a,alias:b,c::text`, and into JSON `d->e->>0`",
    )


def _filters(table: Table) -> tuple[Schema, ...]:
    return (
        *(query(name, _CONDITION, "A condition: `eq.x`, `in.(x,y)`, `is.null` …") for name in table.columns),
        *_LOGIC,
    )


def _table(table: Table) -> Schema:
    row, rows = ref(table.name), array(ref(table.name))
    forms = {OBJECT_FORM: row}
    read = {"200": answer("Rows", rows, **forms), "206": answer("A part of the rows", rows, **forms)} | _REFUSED
    parameters = (_select(table), *_filters(table), _order(table), *_ROWS, _PREFER, _RANGE)
    changing = (_select(table), *_filters(table), _PREFER)
    inserting = (_select(table), query("columns", TEXT, "`a,b`"), query("on_conflict", TEXT, "`a,b`"), _PREFER)
    changed = {"200": answer("The rows, where they are wanted back", rows, **forms), "204": answer("Done")} | _REFUSED
    made = {"201": answer(_MADE.format("Made")), "200": answer(_MADE.format("None made, some changed"))} | _REFUSED

    def of(name: str, what: str, answers: dict[str, Schema], given: tuple[Schema, ...], takes: Schema | None) -> Schema:
        identifier = f"{name}_{table.name}"
        return operation(identifier, "REST", what, answers, security=ROLES, parameters=given, takes=takes)

    return {
        "get": of("read", "Reads rows", read, parameters, None),
        "post": of(
            "insert", "Adds rows, or changes those that are there", made, inserting, body({"anyOf": [row, rows]})
        ),
        "patch": of("update", "Changes rows", changed, changing, body(row)),
        "delete": of("delete", "Deletes rows", changed, changing, None),
    }


def _function(function: Function) -> Schema:
    if function.result == "void":
        answers = {"204": answer("Done")} | _REFUSED
    else:
        kind = array(record(**_columns(function.columns, null=True))) if function.result == "rows" else {}
        answers = {"200": answer("The result", kind or {"type": ["boolean", "number", "string", "null"]})} | _REFUSED
    arguments = record(tuple(sorted(function.required)), **_columns(function.arguments))
    by_get = tuple(
        query(name, _type(kind), "An argument", required=name in function.required)
        for name, kind in function.arguments.items()
    )
    return {
        "get": operation(
            f"get_{function.name}", "REST", "Calls it, only reading", answers, security=ROLES, parameters=by_get
        ),
        "post": operation(
            f"call_{function.name}", "REST", "Calls it", answers, security=ROLES, takes=body(arguments, required=False)
        ),
    }
