"""The watch sees a loop that was held up, and how busy its process is."""

from __future__ import annotations

import asyncio
import time

import pytest

from harness.load.watch import LoopWatch


def test_a_long_lag_counts_for_every_moment_that_it_covers():
    """One lag of 2 s among 8 s without is a fifth of all moments, and not one sleep among hundreds."""
    watch = LoopWatch()
    for _ in range(400):
        watch.lagged(0.0)
    watch.lagged(2.0)
    figures = watch.figures()
    assert figures["loop_lag_max_ms"] == pytest.approx(2000, rel=0.002)
    assert figures["loop_lag_p99_ms"] == pytest.approx(1900, rel=0.03)


async def test_a_loop_that_is_held_up_is_seen():
    """What holds the loop for 0.3 s shows at least so much lag, less one sleep."""
    watch = LoopWatch()
    watching = asyncio.create_task(watch.run())
    await asyncio.sleep(0.005)
    time.sleep(0.3)  # noqa: ASYNC251 - this is the hold-up
    for _ in range(3):
        await asyncio.sleep(0.02)
    watching.cancel()
    await asyncio.wait([watching])
    assert watch.figures()["loop_lag_max_ms"] >= 250


def test_the_figures_stay_when_all_are_in():
    """What comes after the last join, and is mostly waiting, does not flatter them."""
    wall, busy = iter([0.0, 10.0, 30.0]), iter([0.0, 6.0, 6.0])
    watch = LoopWatch(lambda: next(wall), lambda: next(busy))
    watch.all_in()
    watch.lagged(5.0)
    assert watch.figures()["cpu"] == pytest.approx(0.6)
    assert watch.figures()["loop_lag_max_ms"] == 0
