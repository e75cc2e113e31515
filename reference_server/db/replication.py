"""Follows the write-ahead log over PostgreSQL's streaming replication protocol: what is committed comes by itself.

The connection is opened and authenticated by the driver, which does not speak this protocol; then its transport is
given to a protocol of ours (PostgreSQL 18 documentation, section 54.4 "Streaming Replication Protocol").
"""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Any

from reference_server.db.connection import driver

CONNECT_TIMEOUT = 10.0
ACKNOWLEDGE_EVERY = 0.2
"""Seconds between two reports of how far we are, unless one is asked for."""
MOST_WAITING = 16_000_000
"""Bytes that may wait here to be taken before the server is made to wait."""
_EPOCH = 946_684_800  # 2000-01-01 UTC in Unix seconds
_WAL = struct.Struct(">QQq")
_KEEPALIVE = struct.Struct(">QqB")
_STATUS = struct.Struct(">cIcQQQqB")
_HEADER = struct.Struct(">cI")


class LogLost(Exception):
    """The stream has ended; what PostgreSQL said, where it said something."""


class LogStream(asyncio.Protocol):
    """The messages of a logical slot's plugin, in the order of the log. Made by `open_log`.

    `take` waits for messages and returns all that have come; `close` ends the slot with the connection.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._transport: Any = None
        self._buffer = bytearray()
        self._messages: list[bytes] = []
        self._waiting = 0
        self._paused = False
        self._news = asyncio.Event()
        self._lost: LogLost | None = None
        self._received = 0
        self._acknowledged = 0
        self._later: asyncio.TimerHandle | None = None

    def follow(self, slot: str, publication: str) -> None:
        """Takes the transport over from the driver and asks for the log from the slot's position on."""
        self._transport = self._connection._transport
        self._transport.set_protocol(self)
        options = f"proto_version '1', publication_names '{publication}', messages 'true'"
        query = f"START_REPLICATION SLOT {slot} LOGICAL 0/0 ({options})".encode() + b"\0"
        self._transport.write(_HEADER.pack(b"Q", len(query) + 4) + query)

    async def take(self) -> list[bytes]:
        """Every message that has come since the last call, at least one.

        Raises:
            LogLost: the stream has ended.
        """
        while not self._messages:
            if self._lost is not None:
                raise self._lost
            self._news.clear()
            await self._news.wait()
        taken, self._messages, self._waiting = self._messages, [], 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return taken

    def close(self) -> None:
        """Ends the connection, and the slot with it. May be called twice."""
        self._connection.terminate()
        self.connection_lost(None)

    # ------------------------------------------------------------ asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """Splits the stream into the server's messages."""
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= _HEADER.size:
            kind, length = _HEADER.unpack_from(buffer, at)
            if len(buffer) - at < length + 1:
                break
            self._handle(kind, bytes(buffer[at + 5 : at + length + 1]))
            at += length + 1
        del buffer[:at]
        if self._waiting > MOST_WAITING and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The stream has ended."""
        if self._later is not None:
            self._later.cancel()
        if self._lost is None:
            self._lost = LogLost(str(exc) if exc else "the connection ended")
        self._news.set()

    def _handle(self, kind: bytes, body: bytes) -> None:
        if kind == b"d" and body[:1] == b"w":
            start, _end, _sent = _WAL.unpack_from(body, 1)
            self._received = max(self._received, start)
            self._messages.append(body[1 + _WAL.size :])
            self._waiting += len(body)
            self._news.set()
        elif kind == b"d" and body[:1] == b"k":
            end, _sent, asked = _KEEPALIVE.unpack_from(body, 1)
            self._received = max(self._received, end)
            self._acknowledge(asked=bool(asked))
        elif kind == b"E":
            self._lost = LogLost(_error_text(body))
            self._transport.abort()
            self._news.set()

    def _acknowledge(self, *, asked: bool) -> None:
        """Reports how far we are: the slot is temporary, so that what was received need not be kept by anybody."""
        if not asked:
            if self._later is None and self._received > self._acknowledged:
                self._later = asyncio.get_running_loop().call_later(ACKNOWLEDGE_EVERY, self._acknowledge_now)
            return
        self._acknowledge_now()

    def _acknowledge_now(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        self._acknowledged = self._received
        clock = int((time.time() - _EPOCH) * 1_000_000)
        position = self._received
        self._transport.write(_STATUS.pack(b"d", _STATUS.size - 1, b"r", position, position, position, clock, 0))


def _error_text(body: bytes) -> str:
    """The message field of an ErrorResponse (section 54.8)."""
    fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
    return fields.get(b"M", "PostgreSQL refused to stream the log")


async def open_log(url: str, slot: str, publication: str, session: dict[str, str]) -> LogStream:
    """Makes a temporary logical slot for the plugin `pgoutput` and streams it from now on.

    Raises:
        DatabaseError: PostgreSQL refuses the slot (none is left, or no sender).
        OSError, TimeoutError: it cannot be reached.
    """
    settings = {**session, "replication": "database"}
    connection = await driver.connect(url, timeout=CONNECT_TIMEOUT, server_settings=settings)
    try:
        await connection.execute(f"CREATE_REPLICATION_SLOT {slot} TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT")
        stream = LogStream(connection)
        stream.follow(slot, publication)
    except BaseException:
        connection.terminate()
        raise
    return stream
