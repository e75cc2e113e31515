"""What uvicorn keeps for each of its sockets to wait with, in the sizes that thousands of idle sockets ask for.

An `asyncio.Queue` holds three deques and an `asyncio.Event` one, 760 bytes each however empty they are; a socket has
two events and a queue.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Mailbox:
    """The part of `asyncio.Queue` that a socket uses: one task takes what others put."""

    __slots__ = ("_messages", "_reader")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._reader: asyncio.Future[None] | None = None

    def empty(self) -> bool:
        """Whether nothing is to be taken."""
        return not self._messages

    def put_nowait(self, message: Any) -> None:
        """Adds a message behind the others."""
        self._messages.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> Any:
        """Takes the oldest message; waits for one if need be."""
        while not self._messages:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self._messages.pop(0)


class Gate:
    """The part of `asyncio.Event` that a socket uses; it is open (set) at first."""

    __slots__ = ("_opened",)

    def __init__(self) -> None:
        self._opened: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        """Whether the gate is open."""
        return self._opened is None

    def set(self) -> None:
        """Opens the gate: those who wait go on."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.set_result(None)

    def clear(self) -> None:
        """Closes the gate."""
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()

    async def wait(self) -> None:
        """Waits until the gate is open."""
        while self._opened is not None:
            await asyncio.shield(self._opened)
