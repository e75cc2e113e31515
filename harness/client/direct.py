"""A WebSocket connection whose messages are heard when they come, without a queue and a task's turn for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event, State


class DirectConnection(ClientConnection):
    """Hands a text message that comes in one frame to `hear`, as a plain call; every other one waits in the queue.

    The order is kept: as long as a message waits, those after it wait, too. Take them with `next_queued`, which also
    raises what `recv` raises when the connection ends.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.hear: Callable[[bytes], None] | None = None
        """Is called with each message that need not wait; None lets all wait."""
        self._queued = 0

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

    def process_event(self, event: Event) -> None:
        """Called by the library with each frame."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif self.hear is not None and event.opcode is Opcode.TEXT and event.fin and not self._queued:
            self.hear(bytes(event.data))
        else:
            self._queued += event.opcode is not Opcode.CONT
            super().process_event(event)
