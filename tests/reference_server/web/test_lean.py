"""A lean route answers as its handler does, and in the application's own words where the handler fails."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request
from starlette.routing import Route

from reference_server.web.errors import Json
from reference_server.web.lean import Lean


async def test_the_answer_is_the_handlers(client_for: Any) -> None:
    """What the handler returns is what the caller gets; other methods are refused as on every route."""

    async def handler(request: Request) -> Json:
        return Json({"got": (await request.body()).decode()}, 201)

    client = client_for([Route("/it", Lean(handler), methods=["POST"])])
    reply = await client.call("POST", "/it", b"body")
    assert (reply.status, reply.json) == (201, {"got": "body"})
    assert (await client.call("GET", "/it")).status == 405


async def test_an_error_of_ours(client_for: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A handler that raises is answered with 500 in JSON, and the error stands in the log."""

    async def handler(_request: Request) -> Json:
        raise RuntimeError("broken")

    reply = await client_for([Route("/it", Lean(handler), methods=["POST"])]).call("POST", "/it")
    assert (reply.status, reply.json) == (500, {"error": "Internal Server Error"})
    assert "POST /it failed" in caplog.text
    assert "broken" in caplog.text
