"""HTTP/1.1 and WebSockets as uvicorn reads them: a head has an end to its length, a refused upgrade is no error."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
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
_OF_CONNECTION = frozenset({b"connection", b"transfer-encoding"})
_VISIBLE = bytes({*range(0x20, 0x7F), *range(0x80, 0x100), 0x09})
"""What a header may be made of (RFC 9110 section 5.5)."""
_OTHER_VERSION = (
    b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)


class OnePiece:
    """Sends an answer whose length is known in one piece, where uvicorn writes head and body apart.

    Each write is a system call here and wakes the reader at the other end; and uvicorn searches each header by itself
    for what must not be in it. What is not so plain goes uvicorn's way: HEAD, answers without a body or of a length
    that nobody knows, and the last one of a connection.
    """

    __slots__ = ("_cycle", "_head")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._head: Message | None = None

    async def send(self, message: Message) -> None:
        """Takes a message as ASGI has it; a head waits for what follows it, and leaves with that."""
        cycle, head = self._cycle, self._head
        if head is None:
            if message["type"] != "http.response.start" or cycle.response_started:
                await RequestResponseCycle.send(cycle, message)  # type: ignore[arg-type]
            else:
                self._head = message
            return
        self._head = None
        del cycle.send  # else the two would keep each other until somebody searches for garbage
        plain = cycle.keep_alive and not (cycle.disconnected or cycle.flow.write_paused or message.get("more_body"))
        data = _in_one_piece(cycle, head, message.get("body", b"")) if plain else None
        if data is None:
            await RequestResponseCycle.send(cycle, head)  # type: ignore[arg-type]
            await RequestResponseCycle.send(cycle, message)  # type: ignore[arg-type]
            return
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(data)
        cycle.message_event.set()
        cycle.on_response()


def _in_one_piece(cycle: RequestResponseCycle, head: Message, body: bytes) -> bytes | None:
    """A whole answer; None where its head does not say how long its body is, or has characters that end a line."""
    if cycle.scope["method"] == "HEAD":
        return None
    pieces, length = [STATUS_LINE[head["status"]]], -1
    headers = [*cycle.default_headers, *head.get("headers", ())]
    for name, value in headers:
        if name == b"content-length":
            length = int(value)
        elif name in _OF_CONNECTION:
            return None
        pieces += (name, b": ", value, b"\r\n")
    pieces.append(b"\r\n")
    text = b"".join(pieces)
    if length != len(body) or text.translate(None, _VISIBLE) != b"\r\n" * (len(headers) + 2):
        return None
    return text + body


class BoundedHttp(HttpToolsProtocol):
    """Closes a connection whose request has a head without end, which the parser would collect in memory.

    One timer of a connection watches over its rests between requests, where uvicorn starts and stops one for each.
    """

    _head = 0
    _parsed = False
    _rests = False
    _rests_since = 0.0
    _rest: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody rests any more."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads on, unless the head is too large by now (RFC 6585 section 5)."""
        self._parsed = self._rests = False
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
            self.cycle.send = OnePiece(self.cycle).send  # type: ignore[assignment,method-assign]

    def on_body(self, body: bytes) -> None:
        """A part of a body came with these bytes."""
        self._parsed = True
        super().on_body(body)

    def on_response_complete(self) -> None:
        """An answer is whole: the next of several requests that came at once has its turn, or the connection rests."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._rests, self._rests_since = True, self.loop.time()
        if self._rest is None:
            self._rest = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection that has rested for so long; comes again where its rest is younger."""
        self._rest = None
        due = self._rests_since + self.timeout_keep_alive
        if not self._rests or self.transport.is_closing():
            return
        if due > self.loop.time():
            self._rest = self.loop.call_at(due, self.timeout_keep_alive_handler)
        else:
            self.transport.close()


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
