"""`gurukul swarm`: many users who arrive when they are due, played by Locust, judged by the checkers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.conform import named
from harness.cli.folder import run_folder
from harness.cli.measured import concluded_of
from harness.cli.output import publish
from harness.cli.progress import Progress
from harness.cli.require import required
from harness.cli.rows import add_rows
from harness.cli.targets import BUILT_IN, Opened, Time, checked, opened
from harness.errors import Trouble
from harness.results.fingerprint import take_fingerprint
from harness.results.run import SwarmRun, TargetFigures
from harness.results.store import RunFolder
from harness.target import Target

if TYPE_CHECKING:
    from harness.lab.costs import CostMeter
    from harness.load.swarm import SwarmPlan, SwarmProgress, SwarmResult


_USERS = 200
"""So many arrive where nothing else ends the arrivals."""


def planned(
    scenario: str,
    users: int | None,
    *,
    arrivals: str,
    closed: int | None,
    duration: float | None,
    talk: str,
    **more: Any,
) -> SwarmPlan:
    """The plan that the command line means.

    Raises:
        Trouble: no such scenario, a schedule that says nothing, or options that do not fit together.
    """
    from harness.load.arrivals import ends_by_itself
    from harness.load.settings import talk_of
    from harness.load.swarm import SwarmPlan, arrivals_of, scenarios

    if scenario not in scenarios():
        raise Trouble(f"there is no scenario {scenario}", f"choose one of {', '.join(scenarios())}")
    if closed is not None and arrivals:
        raise Trouble(f"--closed {closed} and --arrivals {arrivals} exclude each other", "leave one of them out")
    text = f"closed:{closed}" if closed is not None else arrivals or arrivals_of(scenario) or "poisson"
    if users is None and duration is None and not ends_by_itself(text):
        users = _USERS
    return SwarmPlan(scenario, users, arrivals=text, duration=duration, talk=talk_of(talk), **more)


async def swarm(
    plan: SwarmPlan, targets: Sequence[str], time_: str, database_url: str, results: Path, json: str, html: Path | None,
    verbose: int, require: Sequence[str] = (),
) -> int:  # fmt: skip
    """Runs a swarm, stores and shows what came of it; returns the exit status.

    Several targets are measured one after the other, each alone on the machine, and stand in one run.
    """
    from harness.lab.costs import CostMeter
    from harness.load.swarm import judges_of, schedule_of

    names = named(targets, time=time_, database_url=database_url)
    for argument in names.values():
        require = required(require, checked(argument, database_url=database_url))
    chosen: Time = "scaled" if time_ == "scaled" else "real"
    schedule_of(plan)
    judges = judges_of(plan.scenario)
    fingerprint = take_fingerprint(seed=plan.seed, settings=settings_of(plan) | ({"time": time_} if time_ else {}))
    seen: list[Target] = []
    meters: dict[str, CostMeter] = {}
    interrupted = False
    with run_folder(results, "swarm") as folder:
        try:
            with Progress(verbose) as progress:
                for argument in names.values():
                    meter = CostMeter()
                    end = partial(meter.end, ended=argument in BUILT_IN)
                    async with opened(
                        argument, folder, progress, time=chosen, database_url=database_url, ended=end
                    ) as there:
                        seen.append(there.target)
                        meters[there.target.name] = meter
                        await metered(meter, plan, there, folder, progress)
        except asyncio.CancelledError:
            interrupted = True
        measured = concluded_of(seen, folder, interrupted=interrupted, require=require)
        measured["targets"] = tuple(with_costs(target, meters) for target in measured["targets"])
        run = SwarmRun(
            fingerprint=fingerprint, interrupted=interrupted, scenario=plan.scenario, judges=judges, **measured
        )
        return publish(run, folder, json=json, html=html)


async def metered(meter: CostMeter, plan: SwarmPlan, there: Opened, folder: RunFolder, progress: Progress) -> None:
    """Runs the swarm while the meter counts; its `end` is for whoever opened the target."""
    await meter.begin(there.target)
    began = time.monotonic()
    await swarm_part(plan, there, folder, progress)
    await add_rows(plan, there.target, folder, progress, began)
    await meter.stop(there.target)


def with_costs(target: TargetFigures, meters: Mapping[str, CostMeter]) -> TargetFigures:
    """The figures with what was counted of that target."""
    meter = meters.get(target.name)
    return target if meter is None else target.model_copy(update={"costs": meter.costs(target.correct_matches)})


async def swarm_part(
    plan: SwarmPlan, there: Opened, folder: RunFolder, progress: Progress, what: str = "swarm"
) -> SwarmResult:
    """Runs the swarm; its histories stay in the run's folder, also when the caller is cancelled."""
    from harness.load.swarm import run_swarm

    name = there.target.name

    def told(now: SwarmProgress) -> None:
        stage.say(
            f"{now.started} of {now.offered} users joined, {now.matched} matched, {now.finished} through"
            + (f", {now.dropped} dropped" if now.dropped else "")
        )

    coming = "users are coming" if plan.users is None else f"{plan.users} users are coming"
    with progress.stage(f"{name}: {what}", coming) as stage:
        return await run_swarm(plan, there.target, folder.path, name=f"{name}.swarm", progress=told)


def loop_for(plan: SwarmPlan) -> asyncio.AbstractEventLoop | None:
    """A quick loop for the scenario that is played in this process; None where Locust plays it."""
    from harness.load.joins import SCENARIO

    if plan.scenario != SCENARIO:
        return None
    import uvloop

    return uvloop.new_event_loop()


def settings_of(plan: SwarmPlan) -> dict[str, object]:
    """What of a plan belongs into the run's fingerprint."""
    from dataclasses import asdict

    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(plan).items()}
