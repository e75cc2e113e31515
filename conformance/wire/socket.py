"""A WebSocket of which every byte is ours: what no client library would send, and each frame kept as evidence."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from conformance.outcome import Inconclusive
from conformance.wire.frames import CONTROL, FrameReader, Inflater, Opcode, RawFrame, close, frame
from conformance.wire.handshake import Handshake, read_head, request, shown
from conformance.wire.http import redacted
from harness.history.op import Op

Note = Callable[..., Op]
"""Keeps one piece of evidence: `note(kind, **value)`, where kind is `handshake`, `frame_sent` or `frame_received`."""

OPEN_PATIENCE = 15.0
"""Seconds for the handshake: a refusal may be held back for some (PROTOCOL 1.1)."""
CLOSE_PATIENCE = 2.0
BODY_LIMIT = 65_536
KEPT = 400
"""Frames of one socket that are kept as evidence; what comes after them is counted."""
_CHUNK = 65_536
_SLICE = 0.5
_NUMBERS = itertools.count(1)
_NAMES = {one.value: one.name.lower() for one in Opcode}


class SocketLost(Inconclusive):
    """The connection broke or was closed while something was still to be sent or to come."""


class RawSocket:
    """A connection to a WebSocket address: open it with `async with`, then look at `handshake`.

    Nothing is decided here: wrong frames are sent as they are given, and what comes is only collected. Pings are
    answered, and a Close is, unless `polite` is False.
    """

    def __init__(
        self,
        url: str,
        note: Note,
        *,
        headers: Mapping[str, str | None] | None = None,
        polite: bool = True,
        name: str = "",
    ) -> None:
        self._url = urlsplit(url)
        self._note = note
        self._headers = dict(headers or {})
        self._polite = polite
        self.name = name or f"socket {next(_NUMBERS)}"
        self.handshake = Handshake(0, {})
        self.messages: list[RawFrame] = []
        """Whole messages in the order in which they came: fragments are joined, compressed ones are in the clear."""
        self.pongs: list[bytes] = []
        self.closed: RawFrame | None = None
        """The Close frame of the target."""
        self.ended = False
        """Whether the TCP connection is over."""
        self.evidence: list[Op] = []
        self.late = False
        """Whether an answer had to wait for a frame of ours to be whole."""
        self._held: list[bytes] | None = None
        self._arrived = asyncio.Event()
        self._pieces: list[RawFrame] = []
        self._inflater = Inflater()
        self._task: asyncio.Task[None] | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ------------------------------------------------------------ opening

    async def open(self) -> None:
        """Connects and shakes hands; `handshake` says how that ended.

        Raises:
            SocketLost: there is no connection, or no answer that can be read.
        """
        try:
            async with asyncio.timeout(OPEN_PATIENCE):
                await self._shake_hands()
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            await self.close()
            raise SocketLost(f"the handshake was not answered ({str(error) or type(error).__name__})") from error
        except BaseException:
            await self.close()
            raise
        if self.handshake.upgraded:
            self._task = asyncio.create_task(self._read(), name=self.name)

    async def _shake_hands(self) -> None:
        secure = self._url.scheme == "wss"
        host, port = self._url.hostname or "", self._url.port or (443 if secure else 80)
        context = ssl.create_default_context() if secure else None
        self._reader, self._writer = await asyncio.open_connection(host, port, ssl=context)
        address = f"{self._url.path}?{self._url.query}" if self._url.query else self._url.path
        asked = request(address, self._url.netloc, self._headers)
        self._keep("handshake", request=shown(asked))
        self._writer.write(asked)
        answer = read_head(await self._reader.readuntil(b"\r\n\r\n"))
        self.handshake = answer if answer.upgraded else replace(answer, body=await _body(self._reader, answer))
        self._keep("handshake", answer=self.handshake.described)

    # ------------------------------------------------------------ sending

    async def send(self, data: bytes, what: str) -> None:
        """Sends bytes as they are; `what` describes them in the evidence.

        Raises:
            SocketLost: the connection is over.
        """
        self._keep("frame_sent", frame=redacted(what))
        await self.drip(data)

    async def drip(self, data: bytes) -> None:
        """Sends bytes without keeping them as evidence. Raises SocketLost."""
        if self._writer is None or self.ended:
            raise SocketLost(f"{self.name} is over")
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise SocketLost(f"{self.name} broke ({error})") from error

    @contextmanager
    def unfinished(self) -> Iterator[None]:
        """While a frame is sent in parts, answers to pings and a Close wait: inside of it they would be its bytes."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            if self._writer is not None and not self._writer.is_closing():
                self._writer.write(b"".join(held))

    async def text(self, text: str) -> None:
        """Sends a text message as the standard has it. Raises SocketLost."""
        await self.send(frame(text.encode()), text)

    async def binary(self, data: bytes) -> None:
        """Sends a binary message as the standard has it. Raises SocketLost."""
        await self.send(frame(data, Opcode.BINARY), f"binary {data!r}")

    # ------------------------------------------------------------ waiting

    async def until(self, condition: Callable[[], Any], patience: float) -> bool:
        """Waits until the condition holds, looking whenever something came; False when the time or the socket ends.

        Time in which this process itself stood still does not count: what came meanwhile is only being read now.
        """
        clock, waited = asyncio.get_running_loop().time, 0.0
        while not condition() and not self.ended and waited < patience:
            self._arrived.clear()
            began, slice_ = clock(), min(_SLICE, patience - waited)
            with suppress(TimeoutError):
                async with asyncio.timeout(slice_):
                    await self._arrived.wait()
            waited += min(clock() - began, slice_)
        return bool(condition())

    async def over(self, patience: float) -> bool:
        """Waits for the end: a Close frame, or the end of the connection. Whether it came."""
        return await self.until(lambda: self.closed is not None or self.ended, patience)

    @property
    def end(self) -> str:
        """How the target ended the connection, for a person."""
        if self.closed is not None:
            return redacted(f"Close {self.closed.close_code} {self.closed.close_reason}".strip())
        return "the connection was cut" if self.ended else "the socket stayed open"

    # ------------------------------------------------------------ the end

    async def close(self) -> None:
        """Ends the connection: by the closing handshake where that works. May be called twice."""
        task, self._task = self._task, None
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if task is not None and self._polite and not self.ended and self.closed is None:
            with suppress(OSError):
                writer.write(close(1000))
            await self.over(CLOSE_PATIENCE)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_PATIENCE):
                await writer.wait_closed()
        self.ended = True

    # ------------------------------------------------------------ what comes

    async def _read(self) -> None:
        reader, frames = self._reader, FrameReader()
        assert reader is not None
        try:
            while data := await reader.read(_CHUNK):
                for one in frames.feed(data):
                    self._take(one)
                    self._arrived.set()
        except OSError:
            pass  # cut: `ended` says so
        finally:
            self.ended = True
            self._arrived.set()

    def _take(self, one: RawFrame) -> None:
        self._keep("frame_received", frame=_shown(one))
        if one.opcode >= CONTROL:
            self._control(one)
            return
        self._pieces.append(one)
        if not one.fin:
            return
        pieces, self._pieces = self._pieces, []
        payload = b"".join(piece.payload for piece in pieces)
        if pieces[0].rsv & 4:
            with suppress(zlib.error):
                payload = self._inflater.message(payload)
        self._message(replace(pieces[0], payload=payload, fin=True))

    def _message(self, one: RawFrame) -> None:
        self.messages.append(one)

    def _control(self, one: RawFrame) -> None:
        if one.opcode == Opcode.PONG:
            self.pongs.append(one.payload)
        elif one.opcode == Opcode.CLOSE:
            self.closed = self.closed or one
            self._answer(Opcode.CLOSE, one.payload[:2])
        elif one.opcode == Opcode.PING:
            self._answer(Opcode.PONG, one.payload)

    def _answer(self, opcode: Opcode, payload: bytes) -> None:
        if self._polite and self._held is not None:
            self._held.append(frame(payload, opcode))
            self.late = True
        elif self._polite and self._writer is not None and not self._writer.is_closing():
            self._writer.write(frame(payload, opcode))

    def _keep(self, kind: str, **value: Any) -> None:
        if len(self.evidence) < KEPT:
            self.evidence.append(self._note(kind, socket=self.name, **value))


async def _body(reader: asyncio.StreamReader, answer: Handshake) -> bytes:
    """The body of a refusal, as far as it is short: by its length, or until the end."""
    length = answer.headers.get("content-length", "")
    if length.isdigit():
        return await reader.readexactly(min(int(length), BODY_LIMIT))
    if answer.headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader)
    return await reader.read(BODY_LIMIT)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """A chunked body (RFC 9112 section 7.1)."""
    body = b""
    while (size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)) and len(body) < BODY_LIMIT:
        body += await reader.readexactly(size)
        await reader.readuntil(b"\r\n")
    return body


def _shown(one: RawFrame) -> str:
    """A frame for a person."""
    if one.opcode == Opcode.TEXT and not one.rsv:
        return redacted(one.payload.decode(errors="replace"))
    if one.opcode == Opcode.CLOSE:
        return redacted(f"Close {one.close_code} {one.close_reason}".strip())
    return redacted(f"{_NAMES.get(one.opcode, f'opcode {one.opcode}')} {one.payload!r}")
