"""HTTP/1.1 and WebSockets as uvicorn reads them: a head has an end to its length, a refused upgrade is no error."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from reference_server.web.waiting import Gate, Mailbox

HEAD_LIMIT = 65_536
"""Bytes of one request's head that are read at most. The application's own, lower limits answer in its own words."""
MOST_FRAGMENTS = 4_096
"""Frames that one WebSocket message may come in: fragments of no bytes at all are not held by the limit of its size."""
_BODY = b'{"message":"The head of the request is too large"}'
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: application/json\r\n"
    b"Access-Control-Allow-Origin: *\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
_UNREADABLE = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_OTHER_VERSION = (
    b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)


class Answers:
    """Stands between uvicorn's answers and their connection: a head waits for what follows it, and leaves with that.

    uvicorn writes head and body apart; each write is a system call here and wakes the reader at the other end.
    """

    __slots__ = ("_head", "_protocol", "_transport")

    def __init__(self, protocol: HttpToolsProtocol, transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self._transport = transport
        self._head: bytes | None = b""

    def write(self, data: bytes) -> None:
        """Writes behind the head that waits, or keeps the head; an interim answer (100) waits for nothing."""
        if self._head:
            data, self._head = self._head + data, None
        elif self._head is not None and self._protocol.cycle.response_started:
            self._head = data
            return
        self._transport.write(data)

    def complete(self) -> None:
        """The answer is whole, also one that has no body; the next one begins with a head."""
        if self._head:
            self._transport.write(self._head)
        self._head = b""

    def is_closing(self) -> bool:
        """Whether the connection ends."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Ends the connection behind what was written."""
        self.complete()
        self._transport.close()


class BoundedHttp(HttpToolsProtocol):
    """Closes a connection whose request has a head without end, which the parser would collect in memory."""

    _head = 0
    _parsed = False
    _answers: Answers

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection, whose answers leave in one piece where they can."""
        super().connection_made(transport)
        self._answers = Answers(self, transport)

    def data_received(self, data: bytes) -> None:
        """Reads on, unless the head is too large by now (RFC 6585 section 5)."""
        self._parsed = False
        super().data_received(data)
        if self._parsed or self.transport.is_closing():
            self._head = 0
            return
        self._head += len(data)
        if self._head > HEAD_LIMIT:
            self.transport.write(_REFUSAL)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """A whole head came with these bytes."""
        self._parsed = True
        super().on_headers_complete()
        if self.cycle is not None:  # an upgrade has none
            self.cycle.transport = self._answers  # type: ignore[assignment]

    def on_response_complete(self) -> None:
        """An answer is whole."""
        self._answers.complete()
        super().on_response_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body came with these bytes."""
        self._parsed = True
        super().on_body(body)


class WebSockets(WebSocketsSansIOProtocol):
    """Takes an upgrade that was answered with a response for settled, where uvicorn logs an error for each of them.

    Once open, a socket keeps nothing of its opening, and waits with what is small: 5,000 of them may be idle.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._heard_at = self.loop.time()
        self.queue = Mailbox()  # type: ignore[assignment]
        self.writable = Gate()  # type: ignore[assignment]

    def send(self, message: Any) -> Coroutine[Any, Any, None]:
        """Sends on; after the upgrade nothing is in between."""
        return super().send(message) if self.handshake_complete else self._send_opening(message)

    async def _send_opening(self, message: Any) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True
        if self.handshake_complete:
            self.response.headers.clear()

    def handle_connect(self, event: Request) -> None:
        """Names the version that is served to whoever asks for another one (RFC 6455 section 4.2.2)."""
        if event.headers.get_all("Sec-WebSocket-Version") in ([], ["13"]):
            super().handle_connect(event)
            event.headers.clear()  # the scope has them; the parser holds on to the request for as long as it lives
            return
        self.handshake_complete = self.close_sent = True
        self.transport.write(_OTHER_VERSION)
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Reads on; an opening that cannot be read is refused, where uvicorn leaves its connection as it is."""
        self._heard_at = self.loop.time()
        super().data_received(data)
        unreadable = self.conn.handshake_exc is not None and not self.handshake_initiated
        if unreadable and not self.transport.is_closing():
            self.handshake_complete = self.close_sent = True
            self.transport.write(_UNREADABLE)
            self.transport.close()

    def send_keepalive_ping(self) -> None:
        """Asks only who has said nothing for as long as a ping takes to come round: he may be gone."""
        due = self._heard_at + (self.ping_interval or 0.0)
        if due > self.loop.time() and not self.transport.is_closing():
            self.ping_timer = self.loop.call_at(due, self.send_keepalive_ping)
            return
        super().send_keepalive_ping()

    def handle_cont(self, event: Frame) -> None:
        """Gathers a fragment; a message in too many of them is 1009 (RFC 6455 section 7.4.1)."""
        if len(self.frames) < MOST_FRAGMENTS:
            super().handle_cont(event)
            return
        self.frames = []
        self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"a message of more than {MOST_FRAGMENTS} frames")
        self.handle_parser_exception()

    def send_receive_event_to_app(self) -> None:
        """Hands on a whole message; a text that is not UTF-8 is 1007 and its sender's mistake, no error of ours."""
        if self.curr_msg_data_type == "text" and not _is_text(self.frames):
            self.frames = []
            self.conn.fail(CloseCode.INVALID_DATA, "a text that is not UTF-8")
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()


def _is_text(frames: list[bytes]) -> bool:
    try:
        (frames[0] if len(frames) == 1 else b"".join(frames)).decode()
    except UnicodeDecodeError:
        return False
    return True
