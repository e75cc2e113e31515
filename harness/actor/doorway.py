"""A doorway: who wants to go just as somebody comes waits there, so that leaves race joins however fast both are."""

from __future__ import annotations

import asyncio


class Doorway:
    """The moments at which users of one process join."""

    def __init__(self) -> None:
        self._coming = asyncio.Event()

    def comes(self) -> None:
        """Somebody is about to join: who waits here goes on while that join is under way."""
        self._coming.set()
        self._coming.clear()

    async def somebody(self) -> None:
        """Waits until somebody comes."""
        await self._coming.wait()
