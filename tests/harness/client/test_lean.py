"""The lean client: answers as HTTP/1.1 has them, connections used again, failures as the full client sorts them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from harness.client.dialect import CallBroke, CallRefused
from harness.client.http import call
from harness.client.lean import LeanHttp, Malformed, RawAnswer, read_answer

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (OK + b"Content-Length: 2\r\nX-A: b\r\n\r\n{}", RawAnswer(200, {"content-length": "2", "x-a": "b"}, b"{}")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", RawAnswer(204, {}, b"")),
        (
            OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            RawAnswer(200, {"transfer-encoding": "chunked"}, b"abcde"),
        ),
    ],
)
def test_an_answer_is_read_once_it_is_whole(data: bytes, answer: RawAnswer) -> None:
    """Cut anywhere it is none yet."""
    assert read_answer(data) == answer
    assert [read_answer(data[:end]) for end in range(len(data))] == [None] * len(data)


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n\r\n", OK + b"\r\n", OK + b"Content-Length: two\r\n\r\n"])
def test_what_is_no_answer(data: bytes) -> None:
    """Another protocol, a body without an end, a length that is none."""
    with pytest.raises((Malformed, ValueError)):
        read_answer(data)


@asynccontextmanager
async def serving(answers: Callable[[int], bytes]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers its n-th request so; gives its URL, and the requests that came with their connections."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                asked.append(head + await reader.readexactly(length))
                writer.write(answers(len(asked)))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def test_one_connection_serves_many_requests() -> None:
    """One after the other, each with what was sent; a body is JSON with its length."""
    async with serving(lambda n: OK + b"Content-Length: 1\r\n\r\n%d" % n) as (url, asked):
        http = LeanHttp(5.0)
        bodies = [(await call(http, "POST", f"{url}/a/b?c=d", {"X-Key": "k"}, {"n": n})).body for n in range(3)]
        assert len(http._wires) == 1
        await http.close()
    assert bodies == [1, 2, 3]
    assert asked[0].startswith(b"POST /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"X-Key: k\r\n" in asked[0] and asked[2].endswith(b'\r\n\r\n{"n":2}')


async def test_failures_are_sorted_as_those_of_the_full_client() -> None:
    """A refusal with its words and its wait; a broken connection, no answer in time, and nobody there."""
    refusal = b'HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 18\r\n\r\n{"message":"slow"}'
    async with serving(lambda n: refusal if n == 1 else b"nonsense\r\n\r\n" if n == 2 else b"") as (url, _):
        http = LeanHttp(0.3)
        with pytest.raises(CallRefused, match="429 slow") as refused:
            await call(http, "GET", url, {})
        with pytest.raises(CallBroke, match="nonsense"):
            await call(http, "GET", url, {})
        with pytest.raises(CallBroke, match="timed out"):
            await call(http, "GET", url, {})
        await http.close()
    assert refused.value.retry_after == 7
    gone = LeanHttp(1.0)
    with pytest.raises(CallBroke, match="onnect"):
        await call(gone, "GET", url, {})
    await gone.close()
