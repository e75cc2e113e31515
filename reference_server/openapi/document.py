"""Puts the description together, and serves it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from reference_server.openapi.fixed import APPLICATION, AUTH, STATUS
from reference_server.openapi.schemas import SCHEMAS
from reference_server.openapi.tables import table_paths, table_schemas
from reference_server.rest.catalogue import Catalogue
from reference_server.web.errors import Json

_SECURITY = {
    "apikey": {"type": "apiKey", "in": "header", "name": "apikey", "description": "The project's public key"},
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A user's access token"},
}


def document(catalogue: Catalogue, *, tells_status: bool = False) -> dict[str, Any]:
    """The description (OpenAPI 3.1) of a server with these tables and functions, and an engine that tells status."""
    application = {**APPLICATION, **STATUS} if tells_status else APPLICATION
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gurukul reference server",
            "version": _version(),
            "description": "Matchmaking and signalling behind the wire of Supabase's clients.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": {**AUTH, **table_paths(catalogue), **application},
        "components": {"schemas": {**SCHEMAS, **table_schemas(catalogue)}, "securitySchemes": _SECURITY},
    }


def routes(catalogue: Catalogue, *, tells_status: bool = False) -> list[BaseRoute]:
    """GET /openapi.json."""
    described = document(catalogue, tells_status=tells_status)

    async def describe(_request: Request) -> Response:
        return Json(described)

    return [Route("/openapi.json", describe)]


def _version() -> str:
    try:
        return version("gurukul-harness")
    except PackageNotFoundError:
        return "0"
