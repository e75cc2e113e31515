"""The description: it is OpenAPI 3.1, it names what is served, and what it names is served."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from reference_server.app import build_app, build_parts, running
from reference_server.db import Database
from reference_server.openapi.document import document
from reference_server.rest.catalogue import FUNCTIONS, TABLES, load_catalogue
from reference_server.settings import Settings


@pytest.fixture
async def described(shared: Database) -> dict[str, Any]:
    return document(await load_catalogue(shared))


async def test_it_is_openapi(described: dict[str, Any]) -> None:
    """The document is valid, references and all."""
    assert [error.message for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


async def test_tables_and_functions_are_the_catalogues(described: dict[str, Any]) -> None:
    """Every table has its four operations and its columns; every function its arguments."""
    for table in TABLES:
        assert described["paths"][f"/rest/v1/{table}"].keys() == {"get", "post", "patch", "delete"}
    assert all(f"/rest/v1/rpc/{name}" in described["paths"] for name in FUNCTIONS)
    row = described["components"]["schemas"]["waiting_queue"]["properties"]
    assert row["user_id"] == {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}
    call = described["paths"]["/rest/v1/rpc/find_match"]["post"]["requestBody"]["content"]["application/json"]
    assert call["schema"]["required"] == ["p_user_id"]


async def test_names_of_operations_are_unique(described: dict[str, Any]) -> None:
    """A generated client needs a name of its own for each."""
    names = [operation["operationId"] for path in described["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names)


async def test_what_is_described_is_served(database_url: str, client_for: Any) -> None:
    """No address of the document is unknown to the server, and no method of it wrong."""
    parts = await build_parts(Settings(database_url=database_url, database_pool=2))
    async with running(parts):
        client = client_for([])
        client.app = build_app(parts)
        served = (await client.call("GET", "/openapi.json")).json
        for path, operations in served["paths"].items():
            for method in operations:
                address = path.replace("{topic}", "t").replace("{event}", "e")
                answer = await client.call(method.upper(), address, {} if method != "get" else None)
                assert answer.status != 405, (method, path)
                assert answer.status < 500, (method, path)
                assert b"is not served here" not in answer.body, (method, path)
