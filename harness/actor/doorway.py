"""A doorway: who wants to go just as somebody comes waits there, so that leaves race joins however fast both are."""

from __future__ import annotations

import asyncio


class Doorway:
    """The moments at which users of one process join."""

    def __init__(self) -> None:
        self._leaving: set[asyncio.Future[None]] = set()

    def comes(self) -> None:
        """Somebody is about to join: who waits here goes on while that join is under way."""
        for waiter in self._leaving:
            if not waiter.done():
                waiter.set_result(None)

    async def somebody(self) -> None:
        """Waits until somebody comes."""
        waiter = asyncio.get_running_loop().create_future()
        self._leaving.add(waiter)
        try:
            await waiter
        finally:
            self._leaving.discard(waiter)
