"""The head of a request has an end, also where its sender gives it none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from reference_server.web.protocol import HEAD_LIMIT, BoundedHttp, WebSockets


async def echo(scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
    """Answers with the length of the body."""
    length, more = 0, True
    while more:
        message = await receive()  # type: ignore[operator]
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    body = str(length).encode()
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    await send(start)  # type: ignore[operator]
    await send({"type": "http.response.body", "body": body})  # type: ignore[operator]


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def connected(app: object, **options: Any) -> AsyncIterator[Streams]:
    """A connection to a server that speaks through BoundedHttp and WebSockets, until all that it began has ended."""
    config = uvicorn.Config(
        app, http=BoundedHttp, ws=WebSockets, lifespan="off", log_config=None, access_log=False, **options  # type: ignore[arg-type]
    )  # fmt: skip
    config.load()
    state = uvicorn.Server(config).server_state
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttp(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()
        while state.tasks:
            await asyncio.wait(state.tasks)


@pytest.fixture
async def streams() -> AsyncIterator[Streams]:
    """A connection to a server that tells how long bodies are."""
    async with connected(echo) as streams:
        yield streams


async def status(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return int(head.split()[1]), await asyncio.wait_for(reader.readexactly(length), 5)


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b"GET /", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 9]
)
async def test_a_head_without_end(streams: Streams, start: bytes) -> None:
    """A header, an address or a number of headers that goes on and on is 431, and the connection is closed."""
    reader, writer = streams
    writer.write(start)
    chunk = b"a: b\r\n" * 1000 if start.endswith(b"\n") else b"y" * 6000
    for _ in range(HEAD_LIMIT // 6000 + 5):
        writer.write(chunk)
    assert (await status(reader))[0] == 431
    # What was still on its way when the connection was closed resets it.
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_bodies_and_further_requests_do_not_count(streams: Streams) -> None:
    """A body larger than the limit, and many requests on one connection, are no long head."""
    reader, writer = streams
    body = b"z" * (HEAD_LIMIT * 3)
    for _ in range(3):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        assert await status(reader) == (200, b"%d" % len(body))
    for _ in range(100):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 1000 + b"\r\n\r\n")
        assert (await status(reader))[0] == 200


class Wire(asyncio.Transport):
    """Keeps what is written, each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """There is nothing more to read."""

    def resume_reading(self) -> None:
        """Likewise."""


async def written(app: object, *requests: bytes) -> Wire:
    """What a connection is given in answer to these, each sent when the application has ended with the one before."""
    config = uvicorn.Config(app, http=BoundedHttp, ws=WebSockets, lifespan="off", log_config=None, access_log=False)  # type: ignore[arg-type]
    config.load()
    state, wire = uvicorn.Server(config).server_state, Wire()
    protocol = BoundedHttp(config=config, server_state=state, app_state={})
    protocol.connection_made(wire)
    for request in requests:
        protocol.data_received(request)
        while state.tasks:
            await asyncio.wait(state.tasks)
    protocol.connection_lost(None)
    return wire


@pytest.mark.parametrize("method", [b"POST", b"HEAD"])
async def test_an_answer_is_one_write(method: bytes) -> None:
    """Head and body leave together, and so does a head that has no body behind it; the next answer likewise."""
    request = method + b" / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"
    wire = await written(echo, request, request)
    assert len(wire.writes) == 2
    assert all(answer.endswith(b"\r\n\r\n3" if method == b"POST" else b"\r\n\r\n") for answer in wire.writes)


async def test_pipelined_requests() -> None:
    """Requests that come at once are answered in full and in their order (RFC 9112 section 9.3.2)."""
    requests = [
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (size, b"a" * size) for size in (1, 2, 3)
    ]
    wire = await written(echo, b"".join(requests))
    answers = b"".join(wire.writes).split(b"HTTP/1.1 200 OK")
    assert [answer[-1:] for answer in answers[1:]] == [b"1", b"2", b"3"]


async def test_what_is_long_leaves_in_parts() -> None:
    """The parts of a long answer leave as they come; what has left stays when it breaks."""

    async def parts(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        for part in (b"one", b"two"):
            await send({"type": "http.response.body", "body": part, "more_body": True})  # type: ignore[operator]

    wire = await written(parts, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert [write[-5:] for write in wire.writes[1:]] == [b"one\r\n", b"two\r\n"]
    assert wire.writes[0].startswith(b"HTTP/1.1 200 ")
    assert wire.closed


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: forged=1", b"a\nb", b"a\x00b", b"a\rb"])
async def test_no_header_makes_another(value: bytes) -> None:
    """A value with the end of a line in it is a mistake of ours, and is never sent (RFC 9110 section 5.5)."""

    async def forges(_scope: object, _receive: object, send: object) -> None:
        headers = [(b"content-length", b"2"), (b"x", value)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"ok"})  # type: ignore[operator]

    wire = await written(forges, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert b"".join(wire.writes) == b""
    assert wire.closed


@pytest.mark.parametrize(("told", "body"), [(b"3", b"ok"), (b"1", b"ok")])
async def test_no_answer_is_of_another_length_than_it_says(told: bytes, body: bytes) -> None:
    """Whoever reads on would take the rest for the next answer: the connection ends."""

    async def lies(_scope: object, _receive: object, send: object) -> None:
        headers = [(b"content-length", told)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": body})  # type: ignore[operator]

    wire = await written(lies, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert wire.closed


async def test_a_rest_has_an_end() -> None:
    """A kept connection is closed when it has rested for long enough since its last answer, and not since its first."""
    loop = asyncio.get_running_loop()
    async with connected(echo, timeout_keep_alive=1) as (reader, writer):
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await status(reader))[0] == 200
            last = loop.time()
            await asyncio.sleep(0.6)  # shorter than a rest; three of them are longer
        assert await asyncio.wait_for(reader.read(), 30) == b""
        assert loop.time() - last > 0.95


async def test_a_request_ends_the_rest() -> None:
    """A connection whose request is being answered is not closed for its last rest."""

    async def takes_long(_scope: object, _receive: object, send: object) -> None:
        await asyncio.sleep(1.5)
        await echo({}, _receive, send)  # type: ignore[arg-type]

    async with connected(takes_long, timeout_keep_alive=1) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await status(reader))[0] == 200


async def test_the_last_answer_of_a_connection_says_so() -> None:
    """Who asks with `Connection: close` is told that it is closed, and it is."""
    wire = await written(echo, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert b"\r\nconnection: close\r\n" in b"".join(wire.writes)
    assert wire.closed


async def test_an_interim_answer_waits_for_nothing() -> None:
    """Whoever expects a 100 before he sends his body gets it (RFC 9110 section 10.1.1)."""
    expects = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"
    wire = await written(echo, expects + b"abc")
    assert wire.writes[0] == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert len(wire.writes) == 2


@pytest.mark.parametrize("version", [b"12", b"99", b"x"])
async def test_another_version_of_the_websocket(streams: Streams, version: bytes) -> None:
    """Whoever asks for another version is told which one is served (RFC 6455 section 4.2.2)."""
    reader, writer = streams
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: " + version + b"\r\n\r\n"
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert head.startswith(b"HTTP/1.1 426 ")
    assert b"\r\nSec-WebSocket-Version: 13\r\n" in head
    assert await asyncio.wait_for(reader.read(), 5) == b""


async def hears(_scope: object, receive: object, send: object) -> None:
    """A socket that takes everything and says nothing."""
    await receive()  # type: ignore[operator]
    await send({"type": "websocket.accept"})  # type: ignore[operator]
    while (await receive())["type"] != "websocket.disconnect":  # type: ignore[operator]
        pass


@contextlib.asynccontextmanager
async def open_socket(every: float, patience: float) -> AsyncIterator[tuple[ClientProtocol, Streams]]:
    """An open WebSocket to a server that pings so often, and the connection below it, read by the test."""
    options = {"ws_ping_interval": every, "ws_ping_timeout": patience, "ws_per_message_deflate": False}
    async with connected(hears, **options) as (reader, writer):
        client = ClientProtocol(parse_uri("ws://localhost/"))
        client.send_request(client.connect())
        writer.write(b"".join(client.data_to_send()))
        client.receive_data(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5))
        client.events_received()
        yield client, (reader, writer)


async def frames(client: ClientProtocol, reader: asyncio.StreamReader, until: float) -> list[Opcode]:
    """What the server sends until a time of the loop, or the end; nothing is answered."""
    seen: list[Opcode] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            while data := await reader.read(4096):
                client.receive_data(data)
                seen += [event.opcode for event in client.events_received() if isinstance(event, Frame)]
    return seen


async def test_who_speaks_is_not_pinged() -> None:
    """A socket is pinged only after it has said nothing for as long as a ping takes to come round."""
    loop = asyncio.get_running_loop()
    async with open_socket(every=3.0, patience=60.0) as (client, (reader, writer)):
        began = loop.time()
        for beat in range(1, 5):
            client.send_text(b"here")
            writer.write(b"".join(client.data_to_send()))
            assert await frames(client, reader, began + 1.0 * beat) == []
        assert await frames(client, reader, began + 9.0) == [Opcode.PING]


async def test_who_says_nothing_is_given_up() -> None:
    """A ping that nobody answers ends the socket with 1011."""
    async with open_socket(every=0.2, patience=0.2) as (client, (reader, _)):
        assert await frames(client, reader, asyncio.get_running_loop().time() + 30) == [Opcode.PING, Opcode.CLOSE]
        assert client.close_rcvd is not None
        assert client.close_rcvd.code == 1011
