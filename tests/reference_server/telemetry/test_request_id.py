"""Which id a request has, and who sees it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from reference_server.telemetry import request_id
from reference_server.telemetry.metrics import Metrics
from reference_server.telemetry.request_id import RequestIds
from reference_server.telemetry.requests import Requests
from reference_server.web.errors import Json


@pytest.mark.parametrize("given", [b"a", b"0" * 128, b"!~", b"7f1e2b-4"])
def test_a_good_one_is_kept(given: bytes) -> None:
    """Up to 128 visible ASCII characters are the caller's to choose."""
    assert RequestIds().choose([(b"x-request-id", given)]) == given
    assert request_id.current.get() == given.decode()
    assert request_id.response_headers() == [(b"x-request-id", given)]


@pytest.mark.parametrize("given", [b"", b"0" * 129, b"with space", b"tab\t", b"line\nline", b"\xc3\xa9", b"\x7f"])
def test_another_is_replaced(given: bytes) -> None:
    """What is too long or not visible ASCII gets a new id: it goes into the log and into a header."""
    chosen = RequestIds().choose([(b"x-request-id", given)])
    assert chosen != given
    assert chosen.isascii()
    assert 16 < len(chosen) < 40


def test_ids_differ() -> None:
    """No two requests have the same one, nor do those of two instances."""
    one, other = RequestIds(), RequestIds()
    assert len({ids.choose([]) for ids in (one, other) for _ in range(100)}) == 200


async def test_the_answer_names_it(client_for: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The id that the application sees is in the answer's header; with an access log a line tells of the request."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(request_id.current.get())
        await Json({})(scope, receive, send)

    client = client_for([])
    client.app = Requests(app, Metrics(CollectorRegistry()), access_log=True)
    with caplog.at_level(logging.INFO, "reference_server.access"):
        answer = await client.call("GET", "/a?apikey=secret", headers={"x-request-id": "mine"})
    assert (answer.headers["x-request-id"], seen) == ("mine", ["mine"])
    record = caplog.records[-1]
    assert record.message.startswith("GET /a 200 ")
    assert (record.__dict__["route"], record.__dict__["status"]) == ("other", 200)
    assert "secret" not in record.message


async def test_an_application_that_raises(client_for: Any) -> None:
    """Its request is counted as the 500 that the server then answers."""
    registry = CollectorRegistry()

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ValueError

    client = client_for([])
    client.app = Requests(app, Metrics(registry))
    with pytest.raises(ValueError):
        await client.call("GET", "/")
    assert registry.get_sample_value("http_requests_total", {"method": "GET", "route": "other", "status": "500"}) == 1
