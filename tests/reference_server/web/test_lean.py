"""A lean route answers as its handler does, and in the application's own words where the handler fails."""

from __future__ import annotations

import httpx
from starlette.applications import Starlette
from starlette.routing import Route

from reference_server.web.errors import Json
from reference_server.web.lean import Lean


def client(handler) -> httpx.AsyncClient:
    app = Starlette(routes=[Route("/it", Lean(handler), methods=["POST"])])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_the_answer_is_the_handlers():
    """What the handler returns is what the caller gets; other methods are refused as on every route."""

    async def handler(request):
        return Json({"got": (await request.body()).decode()}, 201)

    async with client(handler) as http:
        reply = await http.post("/it", content="body")
        assert (reply.status_code, reply.json()) == (201, {"got": "body"})
        assert (await http.get("/it")).status_code == 405


async def test_an_error_of_ours(caplog):
    """A handler that raises is answered with 500 in JSON, and the error stands in the log."""

    async def handler(_request):
        raise RuntimeError("broken")

    async with client(handler) as http:
        reply = await http.post("/it")
    assert (reply.status_code, reply.json()) == (500, {"error": "Internal Server Error"})
    assert "POST /it failed" in caplog.text
    assert "broken" in caplog.text
