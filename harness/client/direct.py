"""A WebSocket connection whose messages are heard when they come, without a queue and a task's turn for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event, State

_WHOLE_TEXT = 0x81
"""How a frame begins that is a text of its own (RFC 6455 section 5.2)."""
_LONGEST = 65_536
"""Bytes of a frame's payload that are waited for here."""


class DirectConnection(ClientConnection):
    """Hands a text message that comes in one frame to `hear`, as a plain call; every other one waits in the queue.

    The order is kept: as long as a message waits, those after it wait, too. Take them with `next_queued`, which also
    raises what `recv` raises when the connection ends.

    The library reads everything but those texts: it is given whole frames, of which it takes the header apart once
    more, and from the first frame on that is long or masked all that comes.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.hear: Callable[[bytes], None] | None = None
        """Is called with each message that need not wait; None lets all wait."""
        self._queued = 0
        self._rest = b""
        """The last bytes of the opening, then what has come of a frame that is not whole."""
        self._cuts = True

    def say(self, text: str) -> None:
        """Sends a short text at once, where `send` waits until there is room; on a connection that ends it is lost."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_text(text.encode())
            self.send_data()

    async def next_queued(self) -> str | bytes:
        """The next message that had to wait. Raises ConnectionClosed."""
        message = await self.recv()
        self._queued -= 1
        return message

    def data_received(self, data: bytes) -> None:
        """Called by the transport with what comes."""
        if self.protocol.state is State.CONNECTING:
            data = self._opened(data)
            if not data:
                return
        if not self._cuts:
            super().data_received(data)
            return
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while at < size and (bounds := _payload(data, at)) is not None:
            start, end = bounds
            if end - start > _LONGEST:
                self._cuts, self._rest = False, b""
                super().data_received(data[at:])
                return
            if end > size:
                break
            if data[at] == _WHOLE_TEXT and self.hear is not None and not self._queued:
                self.hear(data[start:end])
            else:
                super().data_received(data[at:end])
            at = end
        self._rest = data[at:]

    def _opened(self, data: bytes) -> bytes:
        """Gives the library the head of its answer, and returns what follows; all goes to it where that is no 101."""
        end = (self._rest + data).find(b"\r\n\r\n")
        if end < 0:
            self._rest = (self._rest + data)[-3:]
            super().data_received(data)
            return b""
        end += 4 - len(self._rest)
        self._rest = b""
        super().data_received(data[:end])
        self._cuts = self.protocol.state is State.OPEN
        return data[end:]

    def process_event(self, event: Event) -> None:
        """Called by the library with each frame."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif self.hear is not None and event.opcode is Opcode.TEXT and event.fin and not self._queued:
            self.hear(bytes(event.data))
        else:
            self._queued += event.opcode is not Opcode.CONT
            super().process_event(event)


def _payload(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the payload of the frame at this place starts and ends; None while its header is not whole.

    That of a masked one, which a server must not send, is beyond all measure.
    """
    if len(data) < at + 2:
        return None
    length, start = data[at + 1], at + 2
    if length > 127:
        return start, start + _LONGEST + 1
    if length > 125:
        start += 2 if length == 126 else 8
        if len(data) < start:
            return None
        length = int.from_bytes(data[at + 2 : start])
    return start, start + length
