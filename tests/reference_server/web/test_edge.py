"""The outermost layer: what is too large, and what browsers are told."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from reference_server.web.edge import ADDRESS_LIMIT, HEADERS_LIMIT, Edge

ORIGIN = {"origin": "https://front.example"}


@pytest.fixture
def client(client_for: Any) -> Any:
    async def hello(_request: object) -> PlainTextResponse:
        return PlainTextResponse("hello", headers={"content-range": "0-0/1"})

    made = client_for([])
    made.app = Edge(Starlette(routes=[Route("/hello", hello, methods=["GET", "OPTIONS"])]))
    made.headers = {}
    return made


async def test_every_answer_can_be_read_by_browsers(client: Any) -> None:
    """Answers of the application and errors alike allow every origin and show the headers that clients read."""
    for path, status in (("/hello", 200), ("/nothing", 404)):
        answer = await client.call("GET", path, headers=ORIGIN)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "*")
        exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
        assert {"content-range", "content-location", "retry-after", "x-supabase-api-version"} <= set(exposed)
        assert "access-control-allow-credentials" not in answer.headers


async def test_preflight(client: Any) -> None:
    """A preflight is answered before any key is asked for, with the headers that it names."""
    asked = {"access-control-request-method": "PATCH", "access-control-request-headers": "apikey,prefer"}
    answer = await client.call("OPTIONS", "/rest/v1/messages", headers=ORIGIN | asked)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == "apikey,prefer"
    assert {"PATCH", "DELETE", "PUT"} <= set(answer.headers["access-control-allow-methods"].split(","))
    plain = await client.call("OPTIONS", "/x", headers=ORIGIN | {"access-control-request-method": "GET"})
    assert "authorization" in plain.headers["access-control-allow-headers"]


async def test_options_that_is_no_preflight(client: Any) -> None:
    """OPTIONS without the headers of a preflight is the application's."""
    assert (await client.call("OPTIONS", "/hello", headers=ORIGIN)).body == b"hello"
    assert (await client.call("OPTIONS", "/hello")).body == b"hello"


async def test_sizes(client: Any) -> None:
    """Up to the limit a head is taken; one byte more is 414 for the address and 431 for the headers."""
    room = ADDRESS_LIMIT - len("/hello")
    assert (await client.call("GET", "/hello?" + "q" * room)).status == 200
    assert (await client.call("GET", "/hello?" + "q" * (room + 1))).status == 414
    room = HEADERS_LIMIT - len("host" + "server.test" + "x")
    assert (await client.call("GET", "/hello", headers={"x": "y" * room})).status == 200
    large = await client.call("GET", "/hello", headers={"x": "y" * (room + 1)})
    assert (large.status, large.headers["access-control-allow-origin"]) == (431, "*")
    assert large.json == {"message": f"The headers are larger than {HEADERS_LIMIT} bytes"}
