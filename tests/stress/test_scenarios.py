"""Every scenario on both engines, by the command, by several processes and by plain Locust."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from harness.cli.judging import Terms, judged
from harness.history.journal import read_history
from harness.lab.deployment import Time, deployment
from harness.load.swarm import SwarmPlan, judges_of, run_swarm, scenarios
from harness.results.finding import Verdict
from harness.results.run import TargetFigures
from harness.target import Target

SECONDS = float(os.environ.get("SCENARIO_SECONDS", "12"))
"""For how long users arrive; the long form is a minute and more."""
NAMES = sorted(scenarios())
ROOT = Path(__file__).parents[2]
TIMES: dict[str, Time] = {"vanishing": "scaled", "soak": "scaled"}
"""Scenarios whose ghosts must die within the run; the others keep the document's waits."""
RARE = {"MM-L6", "MM-S5", "MM-S8", "MM-S11", "MM-L5", "LIM-1", "LIM-2"}
"""What a short run need not meet, unless it is what the scenario is for: then the run would be unknown."""
BREAKS = {"MM-S1", "MM-S5", "MM-S7", "MM-S11", "MM-L2", "MM-L3", "MM-L5", "LIM-1"}
"""What the documented engine breaks, one thing or another, in every scenario."""


async def measured(scenario: str, engine: str, cluster, folder: Path, processes: int = 1) -> TargetFigures:
    """The figures of one scenario on a fresh deployment."""
    async with deployment(engine, cluster, folder / "server.log", time=TIMES.get(scenario, "real")) as deployed:
        plan = SwarmPlan(scenario, None, duration=SECONDS, processes=processes, seed=3)
        result = await run_swarm(plan, deployed.target, folder, name=f"{engine}.swarm")
        return figures_of(result.histories, deployed.target)


def figures_of(histories: list[Path], target: Target) -> TargetFigures:
    """All histories of a run, judged as one."""
    ops = [op for history in histories for op in read_history(history)]
    (figures,) = judged(ops, Terms.of(target))
    return figures


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("scenario", NAMES)
async def test_hardened_is_valid(cluster, folder, scenario, processes):
    """Nothing is broken, what the scenario is for was met, and what it says that it judges it did judge."""
    figures = await measured(scenario, "hardened", cluster, folder, processes)
    assert figures.verdict is Verdict.VALID, figures.reason
    assert set(judges_of(scenario)) - figures.checked.keys() <= RARE


@pytest.mark.parametrize("scenario", NAMES)
async def test_documented_is_not(cluster, folder, scenario):
    """Each scenario finds what is wrong with it."""
    figures = await measured(scenario, "documented", cluster, folder)
    assert figures.verdict is Verdict.INVALID, figures.reason
    assert figures.violations.keys() & BREAKS


@pytest.mark.parametrize("scenario", NAMES)
async def test_plain_locust_plays_it(cluster, folder, scenario):
    """`locust -f locustfiles/NAME.py --headless` leaves a history that is judged to the same verdict."""
    async with deployment("hardened", cluster, folder / "server.log", time=TIMES.get(scenario, "real")) as deployed:
        target = deployed.target
        users = str(int(6 * SECONDS))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / f"{scenario}.py"), "--headless",
            "--only-summary", "--host", target.api_url, "--anon-key", target.anon_key, "-u", users, "-r", users,
            "--duration", f"{SECONDS:g}", "--history-folder", str(folder), "--exit-code-on-error", "0",
            cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            output, _ = await asyncio.wait_for(process.communicate(), SECONDS + 120)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, output.decode()
        figures = figures_of(sorted(folder.glob("history.swarm.*.ndjson")), target)
    assert figures.verdict is Verdict.VALID, figures.reason
