"""Time that jumps: waiting costs nothing, unless something real is waited for."""

import asyncio
import contextlib
import socket
import time

import pytest

from harness.network.vnet.clock import Pace
from harness.network.vnet.loop import run


def test_waiting_costs_nothing():
    """A day passes at once, and timers come due in their order."""
    order = []

    async def main(loop):
        async def after(seconds):
            await asyncio.sleep(seconds)
            order.append((seconds, loop.time()))

        await asyncio.gather(after(86400), after(2), after(1))

    before = time.monotonic()
    run(main)
    assert order == [(1, 1.0), (2, 2.0), (86400, 86400.0)]
    assert time.monotonic() - before < 3600


def test_real_time_passes_with_the_wall():
    """Inside `real_time` a timer takes as long as it says; afterwards the clock goes on from there, and jumps again."""

    async def main(loop):
        began = loop.time()
        wall = time.monotonic()
        with loop.clock.real_time():
            await asyncio.sleep(0.02)
        wall = time.monotonic() - wall
        held = loop.time()
        await asyncio.sleep(100_000)
        return wall, held - began, loop.time() - held

    wall, held, jumped = run(main)
    assert wall >= 0.0199
    assert held >= 0.0199
    assert jumped == pytest.approx(100_000)


def test_the_real_pace_is_that_of_the_wall():
    """A loop of real pace never jumps."""

    async def main(loop):
        before = time.monotonic()
        await asyncio.sleep(0.02)
        return time.monotonic() - before

    assert run(main, Pace.REAL) >= 0.0199


def test_real_sockets_work_outside_of_hosts():
    """Code that is on no virtual host talks to the machine's own sockets, also by name through a thread."""

    async def main(loop):
        async def echo(reader, writer):
            writer.write(await reader.readexactly(2))
            await writer.drain()
            writer.close()

        with loop.clock.real_time():
            async with await asyncio.start_server(echo, "127.0.0.1", 0, family=socket.AF_INET) as server:
                port = server.sockets[0].getsockname()[1]
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"hi")
                answer = await reader.read()
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
        return answer

    assert run(main) == b"hi"


def test_threads_are_waited_for_in_real_time():
    """While a thread works, no other timer comes due early."""

    async def main(loop):
        late = loop.call_later(3600, lambda: None)
        answer = await loop.run_in_executor(None, lambda: time.sleep(0.01) or "done")
        held = loop.clock.held
        late.cancel()
        return answer, loop.time() < 3600, held

    assert run(main) == ("done", True, False)


def test_real_time_can_jump_while_nothing_real_is_under_way():
    """An hour passes at once inside the block; after it seconds are those of the wall again, and time went on."""

    async def main(loop):
        begun, on_the_wall = loop.time(), time.monotonic()
        with loop.clock.virtual_time():
            await asyncio.sleep(3600)
        assert loop.clock.held
        return loop.time() - begun, time.monotonic() - on_the_wall

    passed, waited = run(main, Pace.REAL)
    assert passed >= 3600 > waited
