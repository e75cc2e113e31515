"""The building blocks of the description: parameters, bodies, answers."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
ROLES: list[dict[str, list[str]]] = [{"apikey": []}, {"apikey": [], "bearer": []}]
"""Behind the gateway: the project's key, and a user's token where one speaks for a user."""
EITHER: list[dict[str, list[str]]] = [{"apikey": []}, {"bearer": []}, {"apikey": [], "bearer": []}]
"""The project's key or a user's token, and the token where there are both."""
USER: list[dict[str, list[str]]] = [{"bearer": []}]
OPEN: list[dict[str, list[str]]] = []
TEXT: Schema = {"type": "string"}
UUID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time"}
OBJECT: Schema = {"type": "object"}


def ref(name: str) -> Schema:
    """A schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """An object with these members."""
    schema: Schema = {"type": "object", "properties": properties}
    return schema | {"required": list(required)} if required else schema


def nullable(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def array(items: Schema) -> Schema:
    """An array of these."""
    return {"type": "array", "items": items}


def query(name: str, schema: Schema, description: str, *, required: bool = False) -> Schema:
    """A parameter of the query string."""
    return {"name": name, "in": "query", "schema": schema, "description": description, "required": required}


def header(name: str, schema: Schema, description: str) -> Schema:
    """A header that may be sent."""
    return {"name": name, "in": "header", "schema": schema, "description": description}


def path(name: str, description: str) -> Schema:
    """A part of the address."""
    return {"name": name, "in": "path", "schema": TEXT, "description": description, "required": True}


def body(schema: Schema, *, required: bool = True) -> Schema:
    """A JSON body."""
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def answer(description: str, schema: Schema | None = None, **others: Schema) -> Schema:
    """One answer; `schema` describes it as JSON, `others` in further media types. Without a schema nothing is said."""
    if schema is None:
        return {"description": description}
    content = {"application/json": schema, **others}
    return {"description": description, "content": {name: {"schema": shape} for name, shape in content.items()}}


def operation(
    name: str,
    tag: str,
    summary: str,
    answers: dict[str, Schema],
    *,
    security: list[dict[str, list[str]]] = OPEN,
    parameters: tuple[Schema, ...] = (),
    takes: Schema | None = None,
) -> Schema:
    """One operation; `answers` by status."""
    made: Schema = {"operationId": name, "tags": [tag], "summary": summary, "responses": answers, "security": security}
    if parameters:
        made["parameters"] = list(parameters)
    if takes is not None:
        made["requestBody"] = takes
    return made
