"""`gurukul swarm --find-ceiling`: steps of a swarm, each on a target in which nobody is left, until one breaks."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.conclusion import conclude
from harness.cli.conform import named
from harness.cli.folder import run_folder
from harness.cli.judging import Terms, collected, judged
from harness.cli.output import publish
from harness.cli.progress import Progress
from harness.cli.require import required
from harness.cli.rows import add_rows
from harness.cli.swarm import settings_of, swarm_part
from harness.cli.targets import BUILT_IN, Opened, checked, write_target
from harness.errors import Trouble
from harness.results.ceiling import Step
from harness.results.fingerprint import take_fingerprint
from harness.results.run import SwarmRun, TargetFigures
from harness.results.store import RunFolder
from harness.target import Target, load_target

if TYPE_CHECKING:
    from harness.lab.postgres import Cluster
    from harness.load.swarm import SwarmPlan

PACED = ("constant", "poisson")
FIRST = 5.0
"""Users per second of the first step, where nobody says."""
SECONDS = 8.0
"""How long users come in a step, where nobody says."""
FEWEST = 100
"""Users of one step at least, where nobody says."""
MOST_USERS = 12_000
"""Users of one step at most."""
LEAST, MOST = 0.5, 20_000.0
"""Users per second of a step, at least and at most."""
_QUIET = 2.0


@dataclass
class _Search:
    """The search for one target's ceiling: what it is made of, and the steps so far, each with its figures."""

    plan: SwarmPlan
    argument: str
    folder: RunFolder
    progress: Progress
    cluster: Cluster | None
    require: Sequence[str]
    steps: list[Step] = field(default_factory=list)
    figures: list[TargetFigures] = field(default_factory=list)
    target: Target | None = None

    @property
    def next_folder(self) -> RunFolder:
        """Where the next step leaves its history and its logs."""
        name = self.argument if self.argument in BUILT_IN else "target"
        folder = RunFolder(self.folder.path / "steps" / f"{name}-{len(self.steps) + 1:02}")
        folder.logs.mkdir(parents=True)
        return folder


async def find_ceiling(
    plan: SwarmPlan, targets: Sequence[str], database_url: str, results: Path, json: str, html: Path | None,
    verbose: int, require: Sequence[str] = (),
) -> int:  # fmt: skip
    """Looks for the ceiling of each target in turn, stores and shows it; returns the exit status.

    Raises:
        Trouble: arrivals that have a rate of their own, or as `swarm` does.
    """
    if plan.arrivals not in PACED:
        remedy = f"--find-ceiling takes --arrivals {' or '.join(PACED)}, and --rate for the first step"
        raise Trouble(f"“{plan.arrivals}” has a rate of its own", remedy)
    names = named(targets, database_url=database_url)
    for argument in names.values():
        require = required(require, checked(argument, database_url=database_url))
    fingerprint = take_fingerprint(seed=plan.seed, settings=settings_of(plan) | {"find_ceiling": True})
    found: list[_Search] = []
    interrupted = False
    with run_folder(results, "swarm") as folder:
        try:
            with Progress(verbose) as progress:
                async with _cluster(names.values(), database_url, folder) as cluster:
                    for argument in names.values():
                        found.append(_Search(plan, argument, folder, progress, cluster, require))
                        await _climb(found[-1])
        except asyncio.CancelledError:
            interrupted = True
        run = _concluded(found, plan, interrupted=interrupted).model_copy(update={"fingerprint": fingerprint})
        return publish(run, folder, json=json, html=html)


# ---------------------------------------------------------------- steps


@asynccontextmanager
async def _cluster(arguments: Collection[str], database_url: str, folder: RunFolder) -> AsyncIterator[Cluster | None]:
    """The PostgreSQL that all steps share; None where no target is started for the command."""
    from harness.lab.deployment import running_cluster

    async with AsyncExitStack() as stack:
        running = running_cluster(database_url, folder.logs / "postgres.log")
        yield await stack.enter_async_context(running) if set(arguments) & set(BUILT_IN) else None


async def _climb(search: _Search) -> None:
    """Makes steps until the ceiling lies between two neighbours of the grid, or nothing breaks, or nothing holds."""
    from harness.load.climb import Climb

    climb = Climb(search.plan.rate, MOST, LEAST)
    going = True
    while going:
        step = await _step(search, climb.rate)
        going = climb.told(step.verdict == "held")


async def _step(search: _Search, rate: float) -> Step:
    """Makes one step, judges it and keeps it."""
    from harness.checkers.steps import joining_span, step_of
    from harness.lab.watching import watching

    folder, seconds = search.next_folder, search.plan.duration or SECONDS
    users = round(max(search.plan.users or FEWEST, min(MOST_USERS, rate * seconds)))
    plan = replace(
        search.plan, users=users, rate=rate, duration=None, drain=_QUIET, leave_behind=search.argument in BUILT_IN
    )
    async with _opened(search, folder) as there:
        search.target, began = there.target, time.monotonic()
        async with watching(there.target) as looks:
            await swarm_part(plan, there, folder, search.progress, f"{rate:,.4g} users/s")
        await add_rows(plan, there.target, folder, search.progress, began)
    ops = collected(sorted(folder.path.glob("history.*.ndjson")), folder.history_file)
    (figures,) = judged(ops, Terms.of(there.target, require=search.require))
    step = step_of(rate, ops, figures, there.target.budgets, looks.during(*joining_span(ops)))
    search.steps.append(step)
    search.figures.append(figures)
    search.progress.note(f"{figures.name}: {rate:,.4g} users/s {step.verdict}{step.cause and ': '}{step.cause}")
    return step


@asynccontextmanager
async def _opened(search: _Search, folder: RunFolder) -> AsyncIterator[Opened]:
    """The target for one step: a fresh deployment, or the one of a file, from which everybody has gone."""
    if search.cluster is None or search.argument not in BUILT_IN:
        path = Path(search.argument)
        yield Opened(load_target(path), path)
        return
    from harness.lab.deployment import deployment

    async with deployment(search.argument, search.cluster, folder.logs / "server.log", time="real") as there:
        yield Opened(there.target, write_target(there.target, folder))


# ---------------------------------------------------------------- what came of it


def _concluded(found: Sequence[_Search], plan: SwarmPlan, *, interrupted: bool) -> SwarmRun:
    """Each target with its ceiling, and with the figures of the last step that held, or of the lowest that was made."""
    from harness.load.swarm import judges_of

    measured = [search for search in found if search.target is not None and search.steps]
    targets = tuple(_with_ceiling(search) for search in measured)
    terms = Terms.of_several([search.target for search in measured if search.target], complete=not interrupted)
    verdict, reason = conclude(targets, interrupted=interrupted)
    for search in measured[:1]:
        _keep_history(search)
    return SwarmRun(
        fingerprint=take_fingerprint(), verdict=verdict, reason=reason, interrupted=interrupted, targets=targets,
        scenario=plan.scenario, judges=judges_of(plan.scenario), **terms.kept(),
    )  # fmt: skip


def _with_ceiling(search: _Search) -> TargetFigures:
    from harness.checkers.steps import ceiling_of, shown_step, verdict_of

    ceiling = ceiling_of(search.steps)
    figures = search.figures[shown_step(search.steps)]
    verdict, reason = verdict_of(ceiling)
    return figures.model_copy(update={"ceiling": ceiling, "verdict": verdict, "reason": reason})


def _keep_history(search: _Search) -> None:
    """The history of the step whose figures are shown, as the run's own: so it can be judged again."""
    from harness.checkers.steps import shown_step

    name = search.argument if search.argument in BUILT_IN else "target"
    step = search.folder.path / "steps" / f"{name}-{shown_step(search.steps) + 1:02}" / "history.ndjson"
    shutil.copyfile(step, search.folder.history_file)
