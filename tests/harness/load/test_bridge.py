"""From greenlets to an asyncio loop on another thread, and back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import gevent
import pytest
import uvloop
from gevent.event import Event

from harness.load.bridge import Bridge


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    bridge = Bridge()
    bridge.start()
    yield bridge
    bridge.stop()


def test_a_coroutine_runs_on_uvloop_in_another_thread(bridge):
    """The greenlet gets its result; the work was done elsewhere."""

    async def where() -> tuple[int, bool]:
        return threading.get_native_id(), isinstance(asyncio.get_running_loop(), uvloop.Loop)

    thread, on_uvloop = bridge.run(where)
    assert thread != threading.get_native_id()
    assert on_uvloop


def test_an_exception_comes_back_as_it_was_raised(bridge):
    """The waiting greenlet sees the very error."""

    async def fail() -> None:
        raise LookupError("not here")

    with pytest.raises(LookupError, match="not here"):
        bridge.run(fail)


def test_greenlets_wait_side_by_side(bridge):
    """One greenlet's wait does not hold up another: a barrier of many coroutines is passed by all."""
    barriers: list[asyncio.Barrier] = []

    async def meet() -> int:
        if not barriers:
            barriers.append(asyncio.Barrier(50))
        return await barriers[0].wait()

    greenlets = [gevent.spawn(bridge.run, meet) for _ in range(50)]
    gevent.joinall(greenlets, timeout=20)
    assert sorted(greenlet.value for greenlet in greenlets) == list(range(50))


def test_a_killed_greenlet_cancels_its_coroutine(bridge):
    """What a stopped user was doing ends, with its clean-up."""
    started, cancelled = Event(), Event()

    async def wait_for_ever() -> None:
        bridge.post(started.set)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            bridge.post(cancelled.set)

    greenlet = gevent.spawn(bridge.run, wait_for_ever)
    assert started.wait(20)
    greenlet.kill()
    assert cancelled.wait(20)


def test_a_coroutine_cancelled_on_the_loop_ends_its_greenlet(bridge):
    """Cancelling from the loop's side is a quiet end of the greenlet, not an error."""

    async def cancel_myself() -> None:
        asyncio.current_task().cancel()
        await asyncio.get_running_loop().create_future()

    greenlet = gevent.spawn(bridge.run, cancel_myself)
    greenlet.join(20)
    assert isinstance(greenlet.value, gevent.GreenletExit)


def test_stopping_cancels_what_still_runs_and_may_happen_twice():
    """Nothing runs on after a stop, and work for a stopped bridge is refused."""
    bridge, started = Bridge(), Event()
    bridge.start()
    ended: list[bool] = []

    async def wait_for_ever() -> None:
        bridge.post(started.set)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    greenlet = gevent.spawn(bridge.run, wait_for_ever)
    assert started.wait(20)
    bridge.stop()
    bridge.stop()
    greenlet.join(20)
    assert ended == [True]
    with pytest.raises(RuntimeError, match="not started"):
        bridge.run(wait_for_ever)


def test_calls_are_carried_both_ways(bridge):
    """`tell` reaches the loop, `post` comes back."""
    back = Event()
    bridge.tell(lambda: bridge.post(back.set))
    assert back.wait(20)
