"""A storm strikes everybody who is out, at its moments, and not in the quiet time."""

from __future__ import annotations

import asyncio

from harness.actor.quiet import QuietTime
from harness.actor.storm import Storm


def test_a_strike_reaches_those_who_are_out():
    """Who has gone in is spared."""
    storm, hit = Storm(), []
    with storm.reaches(lambda: hit.append("ann")):
        with storm.reaches(lambda: hit.append("bob")):
            assert storm.strike() == 2
        assert storm.strike() == 1
    assert storm.strike() == 0
    assert sorted(hit) == ["ann", "ann", "bob"]


async def test_it_blows_again_and_again_until_nobody_comes_any_more():
    """It ends by itself when the quiet time begins."""
    storm, quiet = Storm(), QuietTime()
    strikes: list[float] = []
    twice = asyncio.Event()
    began = asyncio.get_running_loop().time()

    def cut() -> None:
        strikes.append(asyncio.get_running_loop().time() - began)
        if len(strikes) == 2:
            twice.set()

    with storm.reaches(cut):
        async with asyncio.timeout(20):
            blowing = asyncio.create_task(storm.blow(0.05, quiet))
            await twice.wait()
            quiet.begun.set()
            await blowing
    assert strikes[0] >= 0.05
    assert strikes[1] >= 0.1
    assert len(strikes) == 2


async def test_it_does_not_begin_in_the_quiet_time():
    """A run that was over before the first strike has none."""
    storm, quiet = Storm(), QuietTime()
    quiet.begun.set()
    hit: list[bool] = []
    with storm.reaches(lambda: hit.append(True)):
        await asyncio.wait_for(storm.blow(60.0, quiet), 20)
    assert hit == []
