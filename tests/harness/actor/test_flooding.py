"""A flood joins in several streams until its time is over, and cleans up behind itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from harness.actor.flooding import flood
from harness.actor.persona import Flood
from harness.actor.quiet import QuietTime
from harness.actor.times import Uniform
from harness.protocol.changes import SessionSeen

PLAN = Flood(lasts=Uniform(0.0, 1.0), streams=3, pace=0.0)


@dataclass
class Target:
    """A user whose joins take their time; `calls` has what he did, in order."""

    calls: list[str] = field(default_factory=list)
    session: SessionSeen | None = None
    under_way: int = 0
    most: int = 0
    many: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False

    async def join(self, mode: str, *, wait_out_limits: bool) -> None:
        assert not wait_out_limits
        if self.broken:
            raise RuntimeError("out of order")
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        self.calls.append(f"join {mode}")
        if len(self.calls) >= 30:
            self.many.set()

    async def leave(self) -> None:
        self.calls.append("leave")

    async def poll(self) -> SessionSeen | None:
        self.calls.append("poll")
        return self.session

    async def end(self, session_id: str) -> None:
        self.calls.append(f"end {session_id}")


async def test_it_joins_until_the_quiet_time_in_as_many_streams_as_were_asked_for():
    """Then it leaves, looks, and ends what it was matched into."""
    target, quiet = Target(session=SessionSeen("s1", "a", "b", "active", "a")), QuietTime()
    async with asyncio.timeout(20):
        flooding = asyncio.create_task(flood(target, PLAN, "global", 60.0, quiet))
        await target.many.wait()
        quiet.begun.set()
        await flooding
    assert target.most == 3
    assert set(target.calls[:-3]) == {"join global"}
    assert target.calls[-3:] == ["leave", "poll", "end s1"]


async def test_it_ends_when_its_time_is_over():
    """Who was not matched has nothing to end."""
    target = Target()
    await asyncio.wait_for(flood(target, PLAN, "global", 0.05, QuietTime()), 20)
    assert target.calls[-2:] == ["leave", "poll"]


async def test_a_fault_of_ours_is_not_taken_for_a_flood():
    """A stream that broke is told at the end."""
    with pytest.raises(RuntimeError, match="out of order"):
        await asyncio.wait_for(flood(Target(broken=True), PLAN, "global", 0.05, QuietTime()), 20)
