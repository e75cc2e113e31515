"""A storm: the sockets of many users are lost at one moment, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.actor.quiet import QuietTime


class Storm:
    """Who is out in the weather, and the moments at which it strikes."""

    def __init__(self) -> None:
        self._out: set[Callable[[], None]] = set()

    @contextmanager
    def reaches(self, cut: Callable[[], None]) -> Iterator[None]:
        """Within this, `cut` is called at each strike."""
        self._out.add(cut)
        try:
            yield
        finally:
            self._out.discard(cut)

    def strike(self) -> int:
        """Cuts everybody off, all in one step of the loop; returns how many."""
        struck = list(self._out)
        for cut in struck:
            cut()
        return len(struck)

    async def blow(self, every: float, quiet: QuietTime) -> None:
        """Strikes every so many seconds, until the quiet time begins."""
        loop = asyncio.get_running_loop()
        at = loop.time()
        while not quiet.begun.is_set():
            at += every
            try:
                async with asyncio.timeout_at(at):
                    await quiet.begun.wait()
            except TimeoutError:
                self.strike()
