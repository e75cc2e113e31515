"""The raw socket: it sends what it is told, tells what came, and keeps both as evidence without secrets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from conformance.wire.frames import Opcode, close, deflated, frame
from conformance.wire.handshake import accept_value
from conformance.wire.socket import RawSocket, SocketLost
from harness.history.op import Op, Outcome, Via

PATIENCE = 5.0
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
ACCEPTED = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {accept_value()}\r\n\r\n"
).encode()

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Notes(list[Op]):
    """Keeps evidence."""

    def __call__(self, kind: str, **value: Any) -> Op:
        op = Op(len(self), 0.0, 0.0, "p", "", "d", kind, Outcome.OK, Via.WS, value)
        self.append(op)
        return op


@asynccontextmanager
async def target(script: Script, answer: bytes = ACCEPTED) -> AsyncIterator[str]:
    """A server that answers the handshake with these bytes, and then does what the script says."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await script(reader, writer)
        finally:
            writer.close()
            ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"ws://127.0.0.1:{port}/realtime?apikey={TOKEN}"
    finally:
        server.close()
        await asyncio.wait_for(ended.wait(), PATIENCE)


def says(*data: bytes) -> Script:
    """Writes these, and reads until the client ends."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for one in data:
            writer.write(one)
        await reader.read(1_000_000)

    return script


def unmasked(payload: bytes, opcode: int = Opcode.TEXT, **parts: Any) -> bytes:
    """A server's frame."""
    return frame(payload, opcode, mask=None, **parts)


async def test_messages_come_whole() -> None:
    """Fragments are joined, bytes that come in drops too, and a compressed message is in the clear."""
    data = unmasked(b"he", fin=False) + unmasked(b"llo", Opcode.CONTINUATION) + unmasked(deflated(b"small" * 9), rsv=4)
    async with target(says(data[:3], data[3:10], data[10:])) as url, RawSocket(url, Notes()) as socket:
        assert await socket.until(lambda: len(socket.messages) == 2, PATIENCE)
        assert [one.payload for one in socket.messages] == [b"hello", b"small" * 9]


async def test_control_frames_are_answered() -> None:
    """A ping is answered with its data, a pong is kept, a Close is echoed and remembered with its reason."""
    got = bytearray()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(unmasked(b"?", Opcode.PING) + unmasked(b"!", Opcode.PONG))
        writer.write(unmasked(b"\x03\xf1too large", Opcode.CLOSE))
        got.extend(await reader.readexactly(7 + 8))

    async with target(script) as url, RawSocket(url, Notes()) as socket:
        assert await socket.over(PATIENCE)
        assert socket.end == "Close 1009 too large"
        assert socket.pongs == [b"!"]
        await socket.until(lambda: False, PATIENCE)
        assert socket.ended
    assert bytes(got) == frame(b"?", Opcode.PONG) + frame(b"\x03\xf1", Opcode.CLOSE)


async def test_an_impolite_socket_answers_nothing() -> None:
    """`polite=False` leaves pings and a Close unanswered: the target's own behaviour is under test."""
    got = bytearray()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(unmasked(b"?", Opcode.PING) + unmasked(b"\x03\xe8", Opcode.CLOSE))
        got.extend(await reader.read(100))

    async with target(script) as url, RawSocket(url, Notes(), polite=False) as socket:
        assert await socket.over(PATIENCE)
    assert not got


async def test_an_answer_waits_for_a_frame_to_be_whole() -> None:
    """A ping that comes while a frame is being sent in parts is answered behind it, not inside of it."""
    got = bytearray()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.extend(await reader.readexactly(1))
        writer.write(unmasked(b"?", Opcode.PING) + unmasked(b"now"))
        got.extend(await reader.readexactly(len(frame(b"drip")) - 1 + len(frame(b"?", Opcode.PONG))))

    async with target(script) as url, RawSocket(url, Notes()) as socket:
        with socket.unfinished():
            await socket.drip(frame(b"drip")[:1])
            assert await socket.until(lambda: socket.messages, PATIENCE)
            await socket.drip(frame(b"drip")[1:])
        assert socket.late
        await socket.until(lambda: False, PATIENCE)
    assert bytes(got) == frame(b"drip") + frame(b"?", Opcode.PONG)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 14\r\n\r\n{\"error\":\"no\"}", {"error": "no"}),
        (b"HTTP/1.1 429 Too Many\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n", [1, 2]),
        (b"HTTP/1.0 403 Forbidden\r\n\r\nplain", None),
    ],
    ids=["with a length", "in chunks", "until the end"],
)  # fmt: skip
async def test_refusals_are_read(answer: bytes, body: Any) -> None:
    """Status and body of a refused upgrade, however its length is told."""

    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.drain()

    async with target(script, answer) as url, RawSocket(url, Notes()) as socket:
        assert not socket.handshake.upgraded
        assert socket.handshake.status == int(answer.split()[1])
        assert socket.handshake.json == body


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 101 x\r\nUpgr"])
async def test_what_is_no_answer_is_no_verdict(answer: bytes) -> None:
    """A connection that is cut, and another protocol, say nothing about a requirement: the socket is lost."""

    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.drain()

    async with target(script, answer) as url:
        with pytest.raises(SocketLost, match="the handshake was not answered"):
            await RawSocket(url, Notes()).open()


async def test_a_socket_that_was_cut_takes_nothing_more() -> None:
    """When the connection is over, waiting ends, and sending says so."""

    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(unmasked(b"bye"))

    async with target(script) as url, RawSocket(url, Notes()) as socket:
        assert await socket.over(PATIENCE)
        assert socket.end == "the connection was cut"
        with pytest.raises(SocketLost):
            await socket.text("hello")


async def test_evidence_holds_no_secret() -> None:
    """What was sent and what came is kept, in order; tokens, keys and cookies are not in it, and long texts are cut."""
    notes = Notes()
    frames = unmasked(f'{{"access_token":"{TOKEN}"}}'.encode()) + unmasked(b"x" * 5000) + close(1000)
    headers = {"Cookie": f"sb-127-auth-token={TOKEN}", "Origin": "https://foreign.example"}
    async with target(says(frames)) as url, RawSocket(url, notes, headers=headers) as socket:
        await socket.text(f"the token {TOKEN}")
        await socket.over(PATIENCE)
    kept = [str(op.value) for op in notes]
    assert [op.op for op in notes[:2]] == ["handshake", "handshake"]
    assert {"frame_sent", "frame_received"} <= {op.op for op in notes}
    assert not any("eyJ" in one or "auth-token=" in one for one in kept)
    assert any("https://foreign.example" in one for one in kept)
    assert all(len(one) < 2000 for one in kept)
