"""One open WebSocket: its reader, and a bounded queue of frames towards the client."""

from __future__ import annotations

import asyncio
import logging
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from starlette.types import Receive, Send

log = logging.getLogger(__name__)

MAX_QUEUED_BYTES = 1_000_000
"""A reader that lets more than this wait for him is too slow: his socket is closed."""
_FRAMES_AT_ONCE = 64
SLOW_READER = (1008, "too slow: frames were not read")


class Frames:
    """How many messages have gone over sockets: what clients sent, and what was written to them."""

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0


class Socket:
    """An accepted WebSocket of the ASGI server.

    `send` never blocks. A frame is written at once where the server takes it at once; else it waits in a queue that a
    task empties, which lives only while there is something to write (an idle socket costs no task of ours). A client
    that does not read for `stall` seconds, or lets too much wait, is dropped: nothing of the server waits for him.
    """

    __slots__ = (
        "_closing", "_ended", "_flushing", "_frames", "_queue", "_queued", "_reading", "_receive", "_send", "_stall",
        "number",
    )  # fmt: skip

    def __init__(
        self, number: int, receive: Receive, send: Send, *, stall: float, frames: Frames | None = None
    ) -> None:
        self.number = number
        self._frames = frames or Frames()
        self._receive = receive
        self._send = send
        self._stall = stall
        self._queue: list[str | bytes] = []
        self._queued = 0
        self._flushing: asyncio.Task[None] | None = None
        self._closing: tuple[int, str] | None = None
        self._reading = asyncio.timeout(None)
        self._ended = False

    def send(self, frame: str | bytes) -> None:
        """Writes or queues a frame; ignored once the socket is closing."""
        if self._closing is not None:
            return
        if self._flushing is None:
            self._write_now(frame)
            return
        self._queue.append(frame)
        self._queued += len(frame)
        if self._queued > MAX_QUEUED_BYTES:
            log.warning("socket %d: closed, %d bytes were not read", self.number, self._queued)
            self.close(*SLOW_READER)

    def close(self, code: int, reason: str, *, after_queue: bool = False) -> None:
        """Closes the socket after what is being written now; what is queued behind it is dropped, unless told so."""
        if self._closing is None:
            self._closing = (code, reason)
            if not after_queue:
                self._queue.clear()
                self._queued = 0
            if self._flushing is None:
                self._flushing = asyncio.create_task(self._flush(None))

    async def run(self, take: Callable[[str | bytes], None]) -> None:
        """Reads until the socket is gone, giving each message to `take`; ends the queue's task before it returns."""
        try:
            async with self._reading:
                while (message := await self._receive())["type"] == "websocket.receive":
                    self._frames.received += 1
                    text = message.get("text")
                    take(message["bytes"] if text is None else text)
        except TimeoutError:  # our own: the client did not even take the close frame in time
            log.info("socket %d: abandoned", self.number)
        finally:
            self._ended = True
            self._closing = self._closing or (1006, "")
            await self._end_flush()

    def _write_now(self, frame: str | bytes) -> None:
        """Writes without a task: the server's `send` only waits where the client does not read."""
        writing: Any = self._write(frame)
        try:
            waits_for = writing.send(None)
        except StopIteration:
            return
        except (OSError, RuntimeError):
            self._abandon()
        else:
            self._flushing = asyncio.create_task(self._flush(_resumed(writing, waits_for)))

    async def _flush(self, begun: Coroutine[Any, Any, None] | Generator[Any, Any, None] | None) -> None:
        try:
            if begun is not None:
                async with asyncio.timeout(self._stall):
                    await begun  # type: ignore[misc]
            while self._queue:
                await self._write_some()
            if self._closing is not None:
                async with asyncio.timeout(self._stall):
                    await self._send({"type": "websocket.close", "code": self._closing[0], "reason": self._closing[1]})
        except TimeoutError:
            log.warning("socket %d: nothing was read for %.1f s", self.number, self._stall)
            self._abandon()
        except (OSError, RuntimeError):
            # The server raises these once the client is gone or the closing handshake has begun.
            self._abandon()
        finally:
            self._flushing = None

    async def _write_some(self) -> None:
        async with asyncio.timeout(self._stall):
            for _ in range(_FRAMES_AT_ONCE):
                if not self._queue:
                    return
                frame = self._queue.pop(0)
                self._queued -= len(frame)
                await self._write(frame)

    async def _write(self, frame: str | bytes) -> None:
        self._frames.sent += 1
        await self._send({"type": "websocket.send", "text" if isinstance(frame, str) else "bytes": frame})

    def _abandon(self) -> None:
        self._closing = self._closing or SLOW_READER
        if not self._ended and not self._reading.expired():
            self._reading.reschedule(asyncio.get_running_loop().time())

    async def _end_flush(self) -> None:
        task = self._flushing
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@types.coroutine
def _resumed(begun: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Goes on with a coroutine that was begun outside of a task and waits for a future."""
    try:
        while True:
            try:
                value = yield waits_for
            except BaseException as error:  # noqa: BLE001 — whatever it is (a cancellation, mostly), the coroutine gets it
                waits_for = begun.throw(error)
            else:
                waits_for = begun.send(value)
    except StopIteration:
        return
