"""`gurukul swarm`: many users who arrive when they are due, played by Locust, judged by the checkers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.folder import run_folder
from harness.cli.measured import concluded
from harness.cli.output import publish
from harness.cli.progress import Progress
from harness.cli.targets import Opened, checked, opened
from harness.errors import Trouble
from harness.results.fingerprint import take_fingerprint
from harness.results.run import SwarmRun
from harness.results.store import RunFolder

if TYPE_CHECKING:
    from harness.load.swarm import SwarmPlan, SwarmProgress, SwarmResult


async def swarm(
    plan: SwarmPlan, target: str, database_url: str, results: Path, json: str, html: Path | None, verbose: int
) -> int:
    """Runs a swarm, stores and shows what came of it; returns the exit status."""
    from harness.load.arrivals import schedule
    from harness.load.swarm import scenarios

    if plan.scenario not in scenarios():
        raise Trouble(f"there is no scenario {plan.scenario}", f"choose one of {', '.join(scenarios())}")
    checked(target, database_url=database_url)
    schedule(plan.arrivals, users=plan.users, rate=plan.rate, duration=plan.duration, seed=plan.seed)
    fingerprint = take_fingerprint(seed=plan.seed, settings=settings_of(plan))
    there: Opened | None = None
    dropped, interrupted = 0, False
    with run_folder(results, "swarm") as folder:
        try:
            with Progress(verbose) as progress:
                async with opened(target, folder, progress, time="real", database_url=database_url) as there:
                    dropped = (await swarm_part(plan, there, folder, progress)).dropped
        except asyncio.CancelledError:
            interrupted = True
        measured = concluded(there, folder, interrupted=interrupted)
        measured["targets"] = tuple(
            target.model_copy(update={"arrivals_dropped": dropped}) for target in measured["targets"]
        )
        run = SwarmRun(fingerprint=fingerprint, interrupted=interrupted, scenario=plan.scenario, **measured)
        return publish(run, folder, json=json, html=html)


async def swarm_part(plan: SwarmPlan, there: Opened, folder: RunFolder, progress: Progress) -> SwarmResult:
    """Runs the swarm; its histories stay in the run's folder, also when the caller is cancelled."""
    from harness.load.swarm import run_swarm

    name = there.target.name

    def told(now: SwarmProgress) -> None:
        stage.say(
            f"{now.started} of {now.offered} users joined, {now.matched} matched, {now.finished} through"
            + (f", {now.dropped} dropped" if now.dropped else "")
        )

    with progress.stage(f"{name}: swarm", f"{plan.users} users are coming") as stage:
        return await run_swarm(plan, there.target, folder.path, name=f"{name}.swarm", progress=told)


def settings_of(plan: SwarmPlan) -> dict[str, object]:
    """What of a plan belongs into the run's fingerprint."""
    from dataclasses import asdict

    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(plan).items()}
