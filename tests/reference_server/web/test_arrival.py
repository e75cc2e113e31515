"""A request arrives within its time, or its connection ends; who sends his whole request may wait for his answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reference_server.web.arrival import timely_http
from reference_server.web.body import BadBody, read_body

DEADLINE = 10
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
LATE = b'{"message":"The request did not arrive in time"}'
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[Request], Awaitable[Response]]


class Bodies:
    """Answers with the length of the body, and keeps what became of each."""

    def __init__(self) -> None:
        self.found: asyncio.Queue[int | BadBody] = asyncio.Queue()

    async def __call__(self, request: Request) -> Response:
        try:
            body = await read_body(request, 100_000)
        except BadBody as error:
            self.found.put_nowait(error)
            return Response(error.message, error.status)
        self.found.put_nowait(len(body))
        return Response(str(len(body)))


@asynccontextmanager
async def connected(handler: Handler, patience: float) -> AsyncIterator[Streams]:
    """A connection to a server that waits so long for a request."""

    async def endpoint(request: Request) -> Response:
        return await handler(request)

    app = Starlette(routes=[Route("/", endpoint, methods=["GET", "POST"])])
    config = uvicorn.Config(app, http=timely_http(patience), lifespan="off", log_config=None, access_log=False)
    config.load()
    state = uvicorn.Server(config).server_state
    server = await asyncio.get_running_loop().create_server(
        lambda: timely_http(patience)(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*state.tasks)


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server closes the connection."""
    return await asyncio.wait_for(reader.read(), DEADLINE)


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One answer on a connection that goes on."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE)
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return int(head.split()[1]), await asyncio.wait_for(reader.readexactly(length), DEADLINE)


async def test_a_connection_that_says_nothing() -> None:
    """It is closed without a word."""
    async with connected(Bodies(), 0.05) as (reader, _writer):
        assert await rest(reader) == b""


@pytest.mark.parametrize("start", [b"G", b"GET / HTTP/1.1\r\nhost: x\r\n", b"POST / HTTP/1.1\r\nx: " + b"y" * 1000])
async def test_a_head_that_does_not_come(start: bytes) -> None:
    """A request that is begun and not ended is 408, and the connection is closed."""
    async with connected(Bodies(), 0.05) as (reader, writer):
        writer.write(start)
        said = await rest(reader)
    assert said.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert said.endswith(LATE)


@pytest.mark.parametrize("part", [b"", b"1234"])
@pytest.mark.parametrize(
    "head", [POST % 1000, b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3e8\r\n"]
)
async def test_a_body_that_does_not_come(head: bytes, part: bytes) -> None:
    """So is a body of which the rest is missing, whatever its framing; its reader is told, and nothing fails."""
    bodies = Bodies()
    async with connected(bodies, 0.05) as (reader, writer):
        writer.write(head + part)
        said = await rest(reader)
        found = await asyncio.wait_for(bodies.found.get(), DEADLINE)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert isinstance(found, BadBody)
    assert (found.status, found.message) == (408, "The body did not arrive whole")


async def test_bytes_one_by_one_buy_no_time() -> None:
    """A body that drips goes on arriving, and is late all the same."""
    async with connected(Bodies(), 0.2) as (reader, writer):
        writer.write(POST % 50_000)
        ended = asyncio.create_task(rest(reader))
        while not ended.done():
            writer.write(b"z")
            await asyncio.wait([ended], timeout=0.01)
    assert (await ended).startswith(b"HTTP/1.1 408 ")


async def test_an_answer_takes_as_long_as_it_takes() -> None:
    """The clock runs for the request alone: one that has come whole is answered, however late."""
    go = asyncio.Event()

    async def slow(request: Request) -> Response:
        await read_body(request)
        await go.wait()
        return Response("at last")

    async with connected(slow, 0.05) as (reader, writer):
        writer.write(POST % 3 + b"abc")
        late = asyncio.get_running_loop().call_later(0.2, go.set)
        assert await answer(reader) == (200, b"at last")
        late.cancel()


async def test_every_request_has_its_own_time() -> None:
    """After one that was in time the next may be late; and a refusal does not hold the connection for its body."""
    async with connected(Bodies(), 0.2) as (reader, writer):
        for size in (3, 50_000):
            writer.write(POST % size + b"z" * size)
            assert await answer(reader) == (200, b"%d" % size)
        writer.write(POST % 200_000 + b"z")
        assert (await answer(reader))[0] == 413
        assert await rest(reader) == b""


async def test_a_client_that_goes_away() -> None:
    """The reader of a body whose sender is gone is told, and nothing fails."""
    bodies = Bodies()
    async with connected(bodies, 30) as (_reader, writer):
        writer.write(POST % 1000 + b"z")
        await writer.drain()
        writer.close()
        found = await asyncio.wait_for(bodies.found.get(), DEADLINE)
    assert isinstance(found, BadBody)
    assert found.status == 408
