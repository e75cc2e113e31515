"""Every scenario on both engines: by one process, by two, and by plain Locust."""

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
"""For how long users arrive; the long form is a minute and more, in all ways."""
NAMES = sorted(scenarios())
WAYS = ("one", "two", "locust")
"""How many processes play it, or plain Locust; the short form takes the ways in turn, one for each scenario."""
PLAYED = [
    (name, way)
    for number, name in enumerate(NAMES)
    for way in (WAYS if os.environ.get("SCENARIO_WAYS") == "all" else (WAYS[number % len(WAYS)],))
]
SEED = 3
"""Of who comes as what: with it some of each persona come early in the soak, so that even a short one meets them."""
ROOT = Path(__file__).parents[2]
TIMES: dict[str, Time] = {"vanishing": "scaled", "soak": "scaled"}
"""Scenarios whose ghosts must die within the run; the others keep the document's waits."""
ARRIVALS = {"joins": "burst:20/0.1s@1s"}
"""Evenly, as they come there otherwise, so few joins meet each other that the documented engine may look right."""
RARE = {"MM-L6", "MM-S5", "MM-S8", "MM-S11", "MM-L5", "LIM-1", "LIM-2"}
"""What a short run need not meet, unless it is what the scenario is for: then the run would be unknown."""
BREAKS = {"MM-S1", "MM-S5", "MM-S6", "MM-S7", "MM-S11", "MM-L2", "MM-L3", "MM-L5", "LIM-1"}
"""What the documented engine breaks, one thing or another, in every scenario."""


async def measured(scenario: str, way: str, engine: str, cluster, folder: Path) -> TargetFigures:
    """The figures of one scenario on a fresh deployment."""
    async with deployment(engine, cluster, folder / "server.log", time=TIMES.get(scenario, "real")) as deployed:
        if way == "locust":
            await by_locust(scenario, deployed.target, folder)
            histories = left_in(folder)
        else:
            arrivals = ARRIVALS.get(scenario, "")
            plan = SwarmPlan(scenario, None, arrivals, duration=SECONDS, processes=1 + (way == "two"), seed=SEED)
            histories = (await run_swarm(plan, deployed.target, folder, name=f"{engine}.swarm")).histories
        ops = [op for history in histories for op in read_history(history)]
        (figures,) = judged(ops, Terms.of(deployed.target))
        return figures


async def by_locust(scenario: str, target: Target, folder: Path) -> None:
    """`locust -f locustfiles/NAME.py --headless`, as one would type it."""
    users = str(int(6 * SECONDS))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / f"{scenario}.py"), "--headless",
        "--only-summary", "--host", target.api_url, "--anon-key", target.anon_key, "-u", users, "-r", users,
        "--seed", str(SEED), "--duration", f"{SECONDS:g}", "--history-folder", str(folder), "--exit-code-on-error", "0",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS + 120)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()


def left_in(folder: Path) -> list[Path]:
    """The histories that plain Locust left."""
    return sorted(folder.glob("history.swarm.*.ndjson"))


def made(folder: Path) -> Path:
    """The folder, now that there is one."""
    folder.mkdir()
    return folder


@pytest.mark.parametrize(("scenario", "way"), PLAYED)
async def test_hardened_is_valid_and_documented_is_not(cluster, folder, scenario, way):
    """On the one nothing is broken, and what the scenario is for was met and judged; the other breaks something."""
    async with asyncio.TaskGroup() as group:  # side by side: most of the time both wait
        right = group.create_task(measured(scenario, way, "hardened", cluster, made(folder / "hardened")))
        wrong = group.create_task(measured(scenario, "one", "documented", cluster, made(folder / "documented")))
    hardened, documented = right.result(), wrong.result()
    assert hardened.verdict is Verdict.VALID, hardened.reason
    assert set(judges_of(scenario)) - hardened.checked.keys() <= RARE
    assert documented.verdict is Verdict.INVALID, documented.reason
    assert documented.violations.keys() & BREAKS
