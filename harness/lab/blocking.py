"""Blocking calls beside the event loop, which end before their caller goes on, also when it is being cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def finished(call: Callable[[], T]) -> T:
    """Runs a blocking call in a thread; a cancelled caller is told so only when it has ended: nothing half-started."""
    task = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        raise
