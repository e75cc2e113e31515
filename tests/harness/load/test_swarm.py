"""Swarms as real Locust processes, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.history.journal import read_history
from harness.history.op import Op, Outcome
from harness.load.swarm import SwarmPlan, SwarmProgress, run_swarm, scenarios
from harness.target import Target

QUICK = SwarmPlan("search_and_chat", users=12, arrivals="burst:6/0.1s@0.3s", talk=(0.2, 0.4), drain=0.5, lead=1.0)
NOWHERE = Target(name="nowhere", api_url="http://127.0.0.1:9/api", supabase_url="http://127.0.0.1:9", anon_key="k")
ROOT = Path(__file__).parents[3]


def ops_of(histories: list[Path]) -> list[Op]:
    return [op for history in histories for op in read_history(history)]


async def test_two_processes_make_one_swarm(hardened, tmp_path):
    """Every arrival joins when due and is matched; each process leaves a history, and they drain together."""
    heard: list[SwarmProgress] = []
    plan = SwarmPlan(**{**QUICK.__dict__, "processes": 2, "peer_share": 0.5})
    result = await run_swarm(plan, hardened, tmp_path, name="one", progress=heard.append)
    assert (result.offered, result.started, result.dropped, result.exit_status) == (12, 12, 0, 0)
    assert [path.name for path in result.histories] == ["history.one.0.ndjson", "history.one.1.ndjson"]
    assert heard[-1].matched == heard[-1].finished == 12
    ops = ops_of(result.histories)
    assert {op.process for op in ops} == {"hardened.swarm.0", "hardened.swarm.1"}
    joins = [op for op in ops if op.op == "join"]
    assert len(joins) == 12
    assert all(op.due is not None and op.t0 >= op.due for op in joins)
    drains = [op for op in ops if op.op == "drain"]
    assert len(drains) == 2
    assert min(op.t0 for op in drains) >= max(op.t1 for op in joins)
    connects = [op for op in ops if op.op == "connect"]
    assert all(op.outcome is Outcome.OK for op in connects), connects
    assert all(count == 2 for count in Counter(op.value["id"] for op in connects).values())


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_target_out_of_reach_is_our_trouble(tmp_path, processes):
    """The trouble of any of the child's processes comes back as one line, not as a traceback and not as a finding."""
    plan = SwarmPlan(**{**QUICK.__dict__, "processes": processes})
    with pytest.raises(Trouble) as caught:
        await run_swarm(plan, NOWHERE, tmp_path, name="lost")
    assert "127.0.0.1:9" in str(caught.value)
    assert caught.value.remedy
    assert "Traceback" not in (tmp_path / "locust.lost.log").read_text()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scenario": "dance"}, "there is no scenario “dance”: use search_and_chat"),
        ({"arrivals": "wave"}, "“wave” is no arrival schedule"),
        ({"duration": 0.0}, "nobody is due within that time"),
        ({"processes": 0}, "0 processes cannot carry a swarm"),
        ({"users": 0}, "a swarm of 0 users is none"),
    ],
)
async def test_a_plan_that_says_nothing_is_refused_before_anything_starts(tmp_path, changes, says):
    """Bad input is one line with a remedy, and leaves no file."""
    with pytest.raises(Trouble) as caught:
        await run_swarm(SwarmPlan(**{**QUICK.__dict__, **changes}), NOWHERE, tmp_path, name="bad")
    assert says in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_locustfiles_are_the_scenarios():
    """What can be asked for is what lies in the package."""
    assert list(scenarios()) == ["search_and_chat"]


async def test_locust_by_itself(hardened, tmp_path):
    """`locust -f locustfiles/search_and_chat.py --host URL -u 4 -r 4` works: -u arrivals at -r per second."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / "search_and_chat.py"), "--headless",
        "--only-summary", "--host", hardened.api_url, "-u", "4", "-r", "4", "-t", "30s", "--talk", "0.1:0.2",
        "--drain", "0.5", "--lead", "1", "--anon-key", hardened.anon_key,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 40)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0, output.decode()
    (history,) = tmp_path.glob("results/*-locust/history.swarm.0.ndjson")
    ops = read_history(history)
    assert sum(op.op == "join" for op in ops) == 4
    assert sum(op.op == "end" for op in ops) == 2
    assert "due → matched" in output.decode()
