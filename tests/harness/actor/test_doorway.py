"""Who waits at the doorway goes on while somebody comes in."""

from __future__ import annotations

import asyncio

import pytest

from harness.actor.doorway import Doorway


async def test_all_who_wait_are_woken_by_the_first_who_comes():
    """In the next step of the loop; who waits thereafter waits for the next."""
    doorway = Doorway()
    doorway.comes()  # before anybody waits: it is not kept
    waiting = [asyncio.create_task(doorway.somebody()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    doorway.comes()
    doorway.comes()
    await asyncio.gather(*waiting)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(doorway.somebody(), 0.01)


async def test_who_has_gone_is_not_woken():
    """He was cancelled while he waited."""
    doorway = Doorway()
    waiting = asyncio.create_task(doorway.somebody())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    doorway.comes()
    assert waiting.cancelled()
