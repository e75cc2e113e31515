"""HTTP over kept connections, against servers that say byte by byte what they are told to."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
import uvloop

from harness.client import connections as module
from harness.client.connections import Connections, Disconnected, NotHttp
from harness.network.certificate import certificate_for

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PACKED = gzip.compress(b'{"a": 1}')


class Server:
    """Answers the n-th request in the n-th way; after the last, the connection hangs."""

    def __init__(self, *answers: bytes, hang_up: bool = False) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.ended = asyncio.Event()
        """Set whenever a client has gone."""
        self.url = ""
        self._answers = list(answers)
        self._hang_up = hang_up
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        self._writers.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0
                )
                self.requests.append(head + await reader.readexactly(length))
                if self._answers:
                    writer.write(self._answers.pop(0))
                    if self._hang_up:
                        break
        await self.drop(writer)
        self.ended.set()

    async def drop(self, writer: asyncio.StreamWriter) -> None:
        """Ends a connection."""
        self._writers.discard(writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def drop_all(self) -> None:
        """Ends all connections, as a server does with idle ones."""
        for writer in list(self._writers):
            await self.drop(writer)

    def say(self, data: bytes) -> None:
        """Says something on every connection."""
        for writer in self._writers:
            writer.write(data)


@asynccontextmanager
async def serving(*answers: bytes, hang_up: bool = False, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(*answers, hang_up=hang_up)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        await server.drop_all()
        await listening.wait_closed()


async def soon(holds: Callable[[], bool]) -> None:
    """Waits until something holds, for five seconds at most."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  neither side tells
            await asyncio.sleep(0.002)


@pytest.fixture
def short_keepalive(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("KEEPALIVE", "IDLE", "_SWEEP"):
        monkeypatch.setattr(module, name, 0.05)
    return


async def test_one_connection_carries_one_request_after_another():
    """The request says what HTTP/1.1 asks for and what it was given, and the next one goes over the same connection."""
    async with serving(OK, OK) as server, Connections(5) as client:
        answer = await client.request("POST", f"{server.url}/a?b=%20c", {"apikey": "k"}, b"{}")
        assert (answer.status, answer.body, answer.header("content-length")) == (200, b"ok", "2")
        assert (await client.request("GET", f"{server.url}/d", {})).status == 200
    host = server.url.removeprefix("http://").encode()
    assert server.connections == 1
    first, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert first.split(b"\r\n")[:2] == [b"POST /a?b=%20c HTTP/1.1", b"Host: " + host]
    assert {b"apikey: k", b"Content-Length: 2", b"Accept-Encoding: gzip"} <= set(first.split(b"\r\n"))
    assert body == b"{}"
    assert b"Content-Length" not in server.requests[1]


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, b"abc"),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 200, b"ok"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
            200, b'{"a": 1}',
        ),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", 404, b"{}"),
    ],
    ids=["chunked", "empty", "no content", "early hints", "packed", "refused"],
)  # fmt: skip
async def test_an_answer_is_read_whole(raw: bytes, status: int, body: bytes):
    """However it tells its length; and the connection is kept."""
    async with serving(raw, OK) as server, Connections(5) as client:
        answer = await client.request("GET", f"{server.url}/", {})
        assert (answer.status, answer.body) == (status, body)
        assert (await client.request("POST", f"{server.url}/", {})).body == b"ok"
        assert server.connections == 1


async def test_an_answer_may_end_with_its_connection():
    """As in HTTP/1.0; the next request makes a new connection."""
    async with serving(b"HTTP/1.0 200 OK\r\n\r\nall of it", OK, hang_up=True) as server, Connections(5) as client:
        assert (await client.request("GET", f"{server.url}/", {})).body == b"all of it"
        assert (await client.request("POST", f"{server.url}/", {})).body == b"ok"
        assert server.connections == 2


async def test_a_connection_that_the_server_closes_is_not_used_again():
    """`Connection: close` is heeded."""
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with serving(closing, OK) as server, Connections(5) as client:
        for _ in range(2):
            assert (await client.request("POST", f"{server.url}/", {})).body == b"ok"
        assert server.connections == 2


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", Disconnected),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", Disconnected),
        (b"", Disconnected),
        (b"SSH-2.0-OpenSSH_9.2\r\n", NotHttp),
        (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", NotHttp),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno", NotHttp),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + b"x" * 999, NotHttp),
    ],
    ids=["cut off", "cut off in chunks", "nothing", "no HTTP", "another protocol", "not packed", "too long"],
)
async def test_what_is_no_answer_is_an_error(raw: bytes, error: type[Exception], monkeypatch: pytest.MonkeyPatch):
    """And the connection is gone; a GET over a fresh connection is not repeated."""
    monkeypatch.setattr(module, "LARGEST", 500)
    async with serving(raw, OK, hang_up=True) as server, Connections(5) as client:
        with pytest.raises(error):
            await client.request("GET", f"{server.url}/", {})
        await server.ended.wait()
        assert len(server.requests) == 1


async def test_a_get_over_a_kept_connection_that_is_dead_is_sent_again():
    """A POST is not: nobody can tell whether it was heard."""
    async with serving(OK, b"", hang_up=False) as server, Connections(5) as client:
        await client.request("GET", f"{server.url}/", {})
        server._hang_up, server._answers = True, [b"", OK]  # heard on the kept connection, which then ends
        assert (await client.request("GET", f"{server.url}/", {})).body == b"ok"
        assert (server.connections, len(server.requests)) == (2, 3)
    async with serving(OK) as server, Connections(5) as client:
        await client.request("POST", f"{server.url}/", {})
        server._hang_up, server._answers = True, [b"", OK]
        with pytest.raises(Disconnected):
            await client.request("POST", f"{server.url}/", {})
        assert len(server.requests) == 2


async def test_a_connection_that_was_closed_while_idle_is_not_used():
    """Not even for a POST."""
    async with serving(OK, OK) as server, Connections(5) as client:
        await client.request("POST", f"{server.url}/", {})
        await server.drop_all()
        await soon(lambda: not client._open)
        assert (await client.request("POST", f"{server.url}/", {})).body == b"ok"


async def test_what_nobody_asked_for_ends_an_idle_connection():
    """An answer without a request must not become the answer to the next one."""
    async with serving(OK, OK) as server, Connections(5) as client:
        await client.request("GET", f"{server.url}/", {})
        server.say(OK.replace(b"ok", b"no"))
        await server.ended.wait()
        assert (await client.request("GET", f"{server.url}/", {})).body == b"ok"
        assert server.connections == 2


async def test_an_idle_connection_is_cut_after_a_while(short_keepalive: None):
    """Without another request."""
    async with serving(OK) as server, Connections(5) as client:
        await client.request("GET", f"{server.url}/", {})
        async with asyncio.timeout(5):
            await server.ended.wait()


async def test_only_a_get_takes_a_connection_that_was_idle_for_long(monkeypatch: pytest.MonkeyPatch):
    """A server may be about to close it: what must not be sent twice goes over a new one."""
    monkeypatch.setattr(module, "KEEPALIVE", 0.0)
    async with serving(*[OK] * 4) as server, Connections(5) as client:
        for method, connections in (("POST", 1), ("GET", 1), ("POST", 2), ("GET", 2)):
            await client.request(method, f"{server.url}/", {})
            assert server.connections == connections


async def test_whoever_waits_too_long_gives_up():
    """The time counts for the whole request, and its connection is gone."""
    async with serving() as server, Connections(0.1) as client:
        with pytest.raises(TimeoutError):
            await client.request("GET", f"{server.url}/", {})
        async with asyncio.timeout(5):
            await server.ended.wait()


async def test_whoever_is_cancelled_leaves_no_connection():
    """Its answer must not reach the next request."""
    async with serving() as server, Connections(5) as client:
        asking = asyncio.create_task(client.request("GET", f"{server.url}/", {}))
        await soon(lambda: bool(server.requests))
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        async with asyncio.timeout(5):
            await server.ended.wait()


async def test_closing_ends_what_is_under_way():
    """And may be done twice; nothing can be asked afterwards."""
    async with serving() as server:
        client = Connections(5)
        asking = asyncio.create_task(client.request("GET", f"{server.url}/", {}))
        await soon(lambda: bool(server.requests))
        await client.close()
        await client.close()
        with pytest.raises(Disconnected):
            await asking
        with pytest.raises(Disconnected, match="were closed"):
            await client.request("GET", f"{server.url}/", {})


async def test_nobody_there_is_a_refusal():
    """Then nothing was sent, which decides the outcome of the op; also where a name has several addresses."""
    async with serving() as server:
        port = server.url.rpartition(":")[2]
    async with Connections(5) as client:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(ConnectionRefusedError):
                await client.request("POST", f"http://{host}:{port}/", {})


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://127.0.0.1:9/", {"a": "b\r\nc: d"}),
        ("http://127.0.0.1:9/", {"a": "b\nc: d"}),
        ("http://127.0.0.1:9/x\r\ny", {}),
        ("ftp://127.0.0.1/", {}),
        ("http:///nowhere", {}),
    ],
)
async def test_what_is_no_request_is_not_sent(url: str, headers: dict[str, str]):
    """A line break would end a header early, and a URL must name a host."""
    async with Connections(5) as client:
        with pytest.raises(ValueError, match=r"line break|no URL"):
            await client.request("GET", url, headers)


async def test_https_is_checked(tmp_path):
    """A server whose certificate nobody vouches for is refused; one that is trusted is asked."""
    certificate = certificate_for(("127.0.0.1",))
    (tmp_path / "both.pem").write_text(certificate.key + certificate.pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "both.pem")
    async with serving(OK, OK, tls=tls) as server, Connections(5) as client:
        with pytest.raises(ssl.SSLCertVerificationError):
            await client.request("GET", f"{server.url}/", {})
        client._tls = certificate.trusting()
        for _ in range(2):
            assert (await client.request("GET", f"{server.url}/", {})).body == b"ok"


@pytest.mark.parametrize(
    "test",
    [
        test_one_connection_carries_one_request_after_another,
        test_an_answer_may_end_with_its_connection,
        test_a_get_over_a_kept_connection_that_is_dead_is_sent_again,
        test_what_nobody_asked_for_ends_an_idle_connection,
        test_whoever_waits_too_long_gives_up,
        test_closing_ends_what_is_under_way,
        test_nobody_there_is_a_refusal,
    ],
)
def test_the_same_holds_on_uvloop(test: Callable[[], Coroutine[None, None, None]]):
    """The loop of swarms and of pairs on loopback, whose transports are other ones."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test())


async def test_who_finds_no_connection_free_waits_for_one(monkeypatch: pytest.MonkeyPatch):
    """No more are open at once than may be; a request that waited goes over one that was used, within its own time."""
    monkeypatch.setattr(module, "MOST", 2)
    async with serving() as server, Connections(5) as client:
        asking = [asyncio.create_task(client.request("GET", server.url, {})) for _ in range(6)]
        for asked in (2, 4, 6):
            await soon(lambda asked=asked: len(server.requests) == asked)  # type: ignore[misc]
            server.say(OK)
        assert [(await one).body for one in asking] == [b"ok"] * 6
        assert server.connections == 2
        hanging = [asyncio.create_task(client.request("GET", server.url, {})) for _ in range(2)]
        await soon(lambda: len(server.requests) == 8)
        for one in hanging:
            one.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_who_waits_in_vain_is_late(monkeypatch: pytest.MonkeyPatch):
    """The wait for a connection counts: it is part of what an answer takes."""
    monkeypatch.setattr(module, "MOST", 1)
    async with serving() as server, Connections(0.2) as client:
        both = [client.request("GET", server.url, {}) for _ in range(2)]
        assert [type(one) for one in await asyncio.gather(*both, return_exceptions=True)] == [TimeoutError] * 2
