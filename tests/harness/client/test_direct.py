"""Messages of a WebSocket that are heard when they come."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.frames import Frame, Opcode

from harness.client.direct import DirectConnection

LONG = ["in ", "three ", "parts"]


@pytest.fixture
async def wire() -> AsyncIterator[DirectConnection]:
    """A connection to a server that waits for a word, then says something in every form, and hangs up."""

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        for message in ("1", "2", LONG, "4", b"5", "6"):
            await connection.send(message)
        await connection.recv()
        await connection.send("7")

    async with serve(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", create_connection=DirectConnection) as connection:
            yield cast("DirectConnection", connection)


async def test_the_order_is_kept(wire: DirectConnection):
    """Whole texts are heard at once, until one comes in parts; what comes after it waits until it was taken."""
    heard: list[str | bytes] = []
    wire.hear = heard.append
    await wire.send("go")
    async with asyncio.timeout(5):
        queued = [await wire.next_queued() for _ in range(4)]
        assert (heard, queued) == ([b"1", b"2"], ["".join(LONG), "4", b"5", "6"])
        await wire.send("go on")
        with pytest.raises(ConnectionClosed):
            await wire.next_queued()
    assert heard[2:] == [b"7"]


async def test_without_an_ear_all_wait(wire: DirectConnection):
    """As with the library's own connection."""
    await wire.send("go")
    async with asyncio.timeout(5):
        assert [await wire.next_queued() for _ in range(6)] == ["1", "2", "".join(LONG), "4", b"5", "6"]


# ---------------------------------------------------------------- a server whose segments we choose


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)


def text(data: bytes) -> bytes:
    return frame(Opcode.TEXT, data)


def accepted(head: bytes) -> bytes:
    """The answer to an opening (RFC 6455 section 4.2.2)."""
    key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")).split()[1]
    digest = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + (
        b"Sec-WebSocket-Accept: " + digest + b"\r\n\r\n"
    )


class Ear:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._news = asyncio.Event()

    def hear(self, data: bytes) -> None:
        self.heard.append(data)
        self._news.set()

    async def has(self, count: int) -> list[bytes]:
        """All that was heard, once it is so much."""
        async with asyncio.timeout(5):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()
        return self.heard


@asynccontextmanager
async def saying(
    frames: bytes, *, behind: int = 0, waiting: int = 0, each: int = 0
) -> AsyncIterator[tuple[DirectConnection, Ear]]:
    """A connection to a server that says these frames.

    Args:
        frames: what the server says.
        behind: how many of their bytes come in one segment with the end of the answer, before anybody listens.
        waiting: how many messages those are.
        each: how many bytes the other segments have; 0: one segment with all.
    """

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(await reader.readuntil(b"\r\n\r\n")) + frames[:behind])
        await reader.readexactly(8)  # "go", masked
        for at in range(behind, len(frames), each or len(frames)):
            writer.write(frames[at : at + (each or len(frames))])
            await asyncio.sleep(0)
        await reader.read(1)  # the client has something to say: it closes
        writer.close()

    ear = Ear()
    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", create_connection=DirectConnection, close_timeout=1) as connection:
            wire = cast("DirectConnection", connection)
            wire.hear = ear.hear
            async with asyncio.timeout(5):
                for _ in range(waiting):
                    ear.hear(str(await wire.next_queued()).encode())
            wire.say("go")
            yield wire, ear


@pytest.mark.parametrize("each", [0, 1, 3, 1000])
async def test_frames_are_whole_however_they_come(each: int):
    """Short, of every kind of length, and with a ping between them."""
    said = [b"", b"a" * 125, b"b" * 126, b"c" * 500]
    frames = b"".join(map(text, said[:2])) + frame(Opcode.PING, b"there?") + b"".join(map(text, said[2:]))
    async with saying(frames, each=each) as (_, ear):
        assert await ear.has(len(said)) == said


async def test_a_long_text_is_the_librarys_and_so_is_what_follows():
    said = [b"a", b"b" * 70_000, b"c", b"d" * 300]
    async with saying(b"".join(map(text, said)), each=10_000) as (_, ear):
        assert await ear.has(len(said)) == said


@pytest.mark.parametrize(("behind", "waiting"), [(1, 0), (2, 0), (8, 0), (9, 1), (10, 1), (13, 2)])
async def test_frames_right_behind_the_answer(behind: int, waiting: int):
    """What comes before anybody listens waits; a frame of which the half comes so is heard whole."""
    async with saying(text(b"1234567") + text(b"89"), behind=behind, waiting=waiting) as (_, ear):
        assert await ear.has(2) == [b"1234567", b"89"]


@pytest.mark.parametrize(
    "frames",
    [frame(Opcode.TEXT, b"masked", mask=True), b"\xf1\x01a", b"\x83\x00", frame(Opcode.CONT, b"of nothing")],
    ids=["masked", "reserved bits", "unknown", "stray"],
)
async def test_what_breaks_the_protocol_ends_the_connection(frames: bytes):
    """The library says so (1002)."""
    async with saying(text(b"first") + frames) as (wire, ear):
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(5):
                await wire.next_queued()
        assert closed.value.sent is not None
        assert (closed.value.sent.code, ear.heard) == (1002, [b"first"])


@pytest.mark.parametrize(
    ("answer", "error"),
    [(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", InvalidStatus), (b"SSH-2.0-x\r\n", InvalidMessage)],
)
async def test_an_answer_that_opens_nothing(answer: bytes, error: type[Exception]):
    """It is the library's, in whatever pieces it comes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for at in range(0, len(answer), 5):
            writer.write(answer[at : at + 5])
            await asyncio.sleep(0.001)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(error) as raised:
            await connect(f"ws://127.0.0.1:{port}", create_connection=DirectConnection)
    if isinstance(raised.value, InvalidStatus):
        assert (raised.value.response.status_code, raised.value.response.body) == (401, b"no")
