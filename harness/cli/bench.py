"""`gurukul bench`: both engines, conformance and swarm and peers, one comparison."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.conclusion import conclude_bench, with_expectations
from harness.cli.folder import run_folder
from harness.cli.judging import Terms, collected, judged
from harness.cli.output import publish
from harness.cli.peers import run_peers
from harness.cli.progress import Progress
from harness.cli.require import required
from harness.cli.running import together
from harness.cli.suite import results_file, run_suite, suite_of
from harness.cli.swarm import settings_of, swarm_part, with_costs
from harness.cli.targets import BUILT_IN, Opened, Time, write_target
from harness.results.fingerprint import take_fingerprint
from harness.results.joining import JoinRate
from harness.results.run import BenchRun, TargetFigures
from harness.results.store import RunFolder
from harness.target import Budgets

if TYPE_CHECKING:
    from harness.lab.costs import CostMeter
    from harness.lab.postgres import Cluster
    from harness.load.swarm import SwarmPlan

_NEEDED = ("asyncpg", "locust", "aiortc", "altair", "vl_convert", "jinja2")


@dataclass(frozen=True)
class Size:
    """How much a bench does: `steady` users at an even pace, then bursts of `burst` users within 0.1 s, then pairs.

    The two faults of the documented engine need different weather. Its double matches show while the queue is short
    and every call gets the lock. Its lost wake-ups show when calls meet, and leave a queue that hides the former.
    """

    steady: int
    bursts: int
    burst: int
    pairs: int
    joins: int
    """At full speed, after all else."""

    def plan(self, seed: int) -> SwarmPlan:
        """The swarm of this size."""
        from harness.load.swarm import SwarmPlan

        arrivals = f"constant:75/s*{self.steady},burst:{self.burst}/0.1s@2s"
        return SwarmPlan(
            "search_and_chat", self.steady + self.bursts * self.burst, arrivals=arrivals, seed=seed, rounds=1
        )


QUICK = Size(steady=100, bursts=8, burst=40, pairs=24, joins=2000)
FULL = Size(steady=300, bursts=20, burst=40, pairs=40, joins=4000)


@dataclass(frozen=True)
class _Aside:
    """What no history tells, by engine."""

    dropped: dict[str, int] = field(default_factory=dict)
    joining: dict[str, JoinRate] = field(default_factory=dict)
    meters: dict[str, CostMeter] = field(default_factory=dict)


@dataclass(frozen=True)
class _Bench:
    """One bench under way: what the parts need, and where they say what no history tells."""

    cluster: Cluster
    folder: RunFolder
    progress: Progress
    aside: _Aside

    @asynccontextmanager
    async def deployed(
        self,
        engine: str,
        part: str,
        time: Time,
        settings: dict[str, object] | None = None,
        ended: Callable[[str], Awaitable[None]] | None = None,
    ) -> AsyncIterator[Opened]:
        """A fresh deployment for one part: nobody is left in its queue from the part before."""
        from harness.lab.deployment import deployment

        log = self.folder.logs / f"server-{engine}-{part}.log"
        async with deployment(engine, self.cluster, log, time=time, settings=settings, ended=ended) as there:
            yield Opened(there.target, write_target(there.target, self.folder))

    async def conformance(self, engine: str) -> None:
        """Tests an engine in scaled time."""
        async with self.deployed(engine, "conform", "scaled") as there:
            await run_suite(there, self.folder, self.progress)

    async def swarm(self, engine: str, plan: SwarmPlan) -> None:
        """Sends the swarm to an engine."""
        from harness.lab.costs import CostMeter

        meter = self.aside.meters[engine] = CostMeter()
        async with self.deployed(engine, "swarm", "real", ended=meter.end) as there:
            await meter.begin(there.target)
            result = await swarm_part(plan, there, self.folder, self.progress)
            await meter.stop(there.target)
            self.aside.dropped[engine] = result.dropped

    async def joins(self, engine: str, count: int) -> None:
        """Lets users join an engine as fast as they are answered."""
        from harness.lab.joiners import join_rate
        from harness.lab.mutants import built_in_folder

        noop: dict[str, object] = {"mutant": built_in_folder() / "_noop.py"}
        async with self.deployed(engine, "joins", "real", noop) as there:
            with self.progress.stage(f"{engine}: joins", f"{count} users join at full speed"):
                self.aside.joining[engine] = await join_rate(there.target, count)

    async def peers(self, engine: str, pairs: int, seed: int) -> None:
        """Sends the pairs to an engine."""
        from harness.actor.peers_plan import PeersPlan

        async with self.deployed(engine, "peers", "real") as there:
            await run_peers(there, self.folder, self.progress, PeersPlan(pairs=pairs, seed=seed))


async def bench(
    quick: bool, seed: int, database_url: str, results: Path, json: str, html: Path | None, verbose: int,
    require: Sequence[str] = (),
) -> int:  # fmt: skip
    """The main job: measures both engines, stores and shows the comparison; returns the exit status."""
    _require(_NEEDED)
    require = required(require)
    size = QUICK if quick else FULL
    plan = size.plan(seed)
    settings = {
        "quick": quick,
        "pairs": size.pairs,
        "joins": size.joins,
        "embedded": not database_url,
        "swarm": settings_of(plan),
    }
    fingerprint = take_fingerprint(seed=seed, settings=settings)
    aside = _Aside()
    interrupted = False
    with run_folder(results, "bench") as folder:
        try:
            with Progress(verbose) as progress:
                await _measure(size, plan, database_url, folder, progress, aside)
        except asyncio.CancelledError:
            interrupted = True
        run = _concluded(folder, aside, require, interrupted=interrupted).model_copy(
            update={"fingerprint": fingerprint}
        )
        return publish(run, folder, json=json, html=html or folder.path / "report.html")


async def _measure(
    size: Size, plan: SwarmPlan, database_url: str, folder: RunFolder, progress: Progress, aside: _Aside
) -> None:
    """Runs all parts; suites and pairs side by side (they mostly wait), each swarm and each joining alone."""
    from harness.lab.deployment import running_cluster

    async with running_cluster(database_url, folder.logs / "postgres.log") as cluster:
        progress.note(f"seed {plan.seed}, run {folder.path}")
        bench = _Bench(cluster, folder, progress, aside)
        await together(*(bench.conformance(engine) for engine in BUILT_IN))
        for engine in BUILT_IN:
            await bench.swarm(engine, plan)
        await together(*(bench.peers(engine, size.pairs, plan.seed) for engine in BUILT_IN))
        for engine in BUILT_IN:
            await bench.joins(engine, size.joins)


def _concluded(folder: RunFolder, aside: _Aside, require: Sequence[str], *, interrupted: bool) -> BenchRun:
    """Judges what the parts left in the folder."""
    ops = collected(sorted(folder.path.glob("history.*.ndjson")), folder.history_file)
    budgets = dict.fromkeys(BUILT_IN, Budgets())
    terms = Terms(budgets, complete=not interrupted, require=tuple(require))
    targets = [_finished(target, aside) for target in judged(ops, terms)]
    suites = [suite_of(file) for engine in BUILT_IN if (file := results_file(folder, engine)).exists()]
    verdict, reason = conclude_bench(targets, suites, interrupted=interrupted)
    return BenchRun(
        fingerprint=take_fingerprint(), verdict=verdict, reason=reason, interrupted=interrupted, budgets=budgets,
        require=terms.require, targets=tuple(targets), conformance=tuple(suites),
    )  # fmt: skip


def _finished(target: TargetFigures, aside: _Aside) -> TargetFigures:
    told = {"arrivals_dropped": aside.dropped.get(target.name, 0), "joining": aside.joining.get(target.name)}
    return with_costs(with_expectations(target).model_copy(update=told), aside.meters)


def _require(modules: tuple[str, ...]) -> None:
    """A missing extra is told at the start, not after minutes of work."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
