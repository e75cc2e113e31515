"""Swarms that are cut off: what they keep, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from harness.history.journal import read_history
from harness.history.op import Outcome
from harness.load.swarm import SwarmPlan, SwarmProgress, run_swarm
from harness.target import dump_target

ROOT = Path(__file__).parents[3]


class Until:
    """Waits for a swarm's progress to satisfy a condition."""

    def __init__(self, met: Callable[[SwarmProgress], bool]) -> None:
        self._met = met
        self.reached = asyncio.Event()

    def __call__(self, now: SwarmProgress) -> None:
        if self._met(now):
            self.reached.set()


async def test_a_cancelled_swarm_keeps_its_history_and_leaves_no_process(hardened, tmp_path):
    """When it is cancelled in mid-wait the child is stopped, and the calls under way are in the history."""
    waiting = Until(lambda now: now.started == 1)
    plan = SwarmPlan("search_and_chat", users=1, lead=0.5)
    swarm = asyncio.create_task(run_swarm(plan, hardened, tmp_path, name="cut", progress=waiting))
    await asyncio.wait_for(waiting.reached.wait(), 90)
    swarm.cancel()
    with pytest.raises(asyncio.CancelledError):
        await swarm
    ops = read_history(tmp_path / "history.cut.0.ndjson")
    assert [op.outcome for op in ops if op.op == "join"] == [Outcome.OK]
    assert not [op for op in ops if op.op == "leave"]
    assert "Traceback" not in (tmp_path / "locust.cut.log").read_text()


_STARTER = """
import asyncio, sys
from pathlib import Path
from harness.load.swarm import SwarmPlan, run_swarm
from harness.target import load_target

def tell(now):
    print(now.started, flush=True)

plan = SwarmPlan("search_and_chat", users=3, processes=2, lead=0.5)
asyncio.run(run_swarm(plan, load_target(Path(sys.argv[1])), Path(sys.argv[2]), name="orphan", progress=tell))
"""


async def test_nothing_outlives_a_starter_that_is_killed(hardened, tmp_path, gone):
    """After kill -9 of whoever runs the swarm, Locust and its workers end at once."""
    (tmp_path / "t.toml").write_text(dump_target(hardened))
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _STARTER, str(tmp_path / "t.toml"), str(tmp_path),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        async with asyncio.timeout(90):
            while (line := await starter.stdout.readline()).strip() != b"3":
                assert line, "the starter ended before its users had come"
        children = _descendants(starter.pid)
    finally:
        starter.send_signal(signal.SIGKILL)
        await starter.communicate()
    assert len(children) == 3
    assert all([await asyncio.to_thread(gone, pid) for pid in children])


def _descendants(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]
