"""The small queue and the small event do what those of asyncio do, as far as a socket needs it."""

from __future__ import annotations

import asyncio

import pytest

from reference_server.web.waiting import Gate, Mailbox


async def test_messages_are_taken_in_their_order() -> None:
    """Whether they were there before the reader or not."""
    mailbox = Mailbox()
    mailbox.put_nowait(1)
    mailbox.put_nowait(2)
    assert [await mailbox.get(), await mailbox.get(), mailbox.empty()] == [1, 2, True]
    reading = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    mailbox.put_nowait(3)
    mailbox.put_nowait(4)
    assert (await reading, mailbox.empty(), await mailbox.get()) == (3, False, 4)


async def test_a_reader_that_is_cancelled_takes_nothing() -> None:
    """What is put as the reader goes is there for the next one."""
    mailbox = Mailbox()
    reading = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    reading.cancel()
    mailbox.put_nowait(1)
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await mailbox.get() == 1


async def test_the_gate_lets_all_through_who_were_not_cancelled() -> None:
    """One who gives up does not take the others with him; a gate that closes again at once holds them."""
    gate = Gate()
    await gate.wait()
    gate.clear()
    gate.clear()
    waiting = [asyncio.create_task(gate.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    gate.set()
    gate.clear()
    done, _pending = await asyncio.wait(waiting[1:], timeout=0)
    assert (done, gate.is_set(), waiting[0].cancelled()) == (set(), False, True)
    gate.set()
    gate.set()
    await asyncio.gather(*waiting[1:])
    assert gate.is_set()
