"""The quiet time at the end of a part: nobody new comes, and whoever still waits looks one last time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from harness.history.op import Via
from harness.history.recorder import Recorder


class QuietTime:
    """Holds the waiting users together until the end of their wait.

    `hold` is called once, after the last arrival has joined; it records the op `drain`. Users wait inside `waiting()`;
    when `closing` is set each of them polls once more and leaves that block, and only then is the drain over (`over`).
    So every user who was left waiting has a poll that began inside the drain.
    """

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        """From now on nobody searches again."""
        self.closing = asyncio.Event()
        self.over = asyncio.Event()
        self._waiting = 0
        self._nobody_waits = asyncio.Event()
        self._nobody_waits.set()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Marks a user as waiting."""
        self._waiting += 1
        self._nobody_waits.clear()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._nobody_waits.set()

    async def hold(self, recorder: Recorder, seconds: float) -> None:
        """Keeps quiet for some seconds, lets the waiting look one last time, and records it all as one op."""
        self.begun.set()
        drain = recorder.begin("", "", "drain", Via.SELF)
        await asyncio.sleep(seconds)
        self.closing.set()
        await self._nobody_waits.wait()
        drain.ok()
        self.over.set()
