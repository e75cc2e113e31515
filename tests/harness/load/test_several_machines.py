"""Locust's own master and workers: what they do together, what they leave, and what a worker costs that is killed."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import socket
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.cli.judge import journals_of, read_together
from harness.cli.judging import Terms, judged
from harness.history.journal import clock_stated
from harness.history.op import Op
from harness.load.swarm import SwarmPlan, run_swarm
from harness.results.finding import Verdict
from harness.results.run import TargetFigures
from harness.target import Target, dump_target

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
PATIENCE = 300.0
Until = Callable[[Path, str, int], Awaitable[None]]
ARRIVALS = "burst:8/0.01s@0.4s*40"


AHEAD = 5000
OTHER_CLOCK = ("unshare", "--time", f"--monotonic={AHEAD}", "--fork", "--kill-child")
"""Runs a command in a time namespace (Linux, as root): its monotonic clock is that of another machine."""


def another_clock() -> tuple[str, ...]:
    """How a command gets a clock of its own; nothing, with a warning that says so, where this machine gives none."""
    if shutil.which("unshare") and not subprocess.run([*OTHER_CLOCK, "true"], check=False).returncode:
        return OTHER_CLOCK
    warnings.warn("workers with another clock are not verified: no time namespace can be made here", stacklevel=2)
    return ()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass
class Crew:
    """A master and its workers, each in a folder of its own, as if on a machine of its own."""

    folder: Path
    target: Path
    port: int = field(default_factory=free_port)
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, place: str, *options: str, within: tuple[str, ...] = ()) -> asyncio.subprocess.Process:
        """Starts Locust in a folder; its output goes to a file there."""
        home = self.folder / place
        home.mkdir()
        with (home / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *within, sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / "search_and_chat.py"),
                *options, cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log,
            )  # fmt: skip
        self.processes.append(process)
        return process

    async def master(self, *options: str, workers: int = 2) -> asyncio.subprocess.Process:
        return await self.start(
            "master", "--master", f"--master-bind-port={self.port}", "--headless", f"--expect-workers={workers}",
            "--only-summary", "-u", "60", "-r", "60", "--exit-code-on-error=0", f"--target={self.target}",
            f"--arrivals={ARRIVALS}", "--talk=0.2:0.4", "--drain=1", "--lead=2", "--history-folder=all", *options,
        )  # fmt: skip

    async def worker(self, place: str, within: tuple[str, ...] = ()) -> asyncio.subprocess.Process:
        return await self.start(place, "--worker", f"--master-port={self.port}", within=within)

    def logs(self) -> str:
        return "\n".join(f"{log}:\n{log.read_text()}" for log in self.folder.glob("*/log"))

    @property
    def histories(self) -> Path:
        return self.folder / "master" / "all"


@pytest.fixture
async def crew(hardened: Target, tmp_path: Path) -> AsyncIterator[Crew]:
    (tmp_path / "t.toml").write_text(dump_target(hardened))
    async with _ended(Crew(tmp_path, tmp_path / "t.toml")) as crew:
        yield crew


@asynccontextmanager
async def _ended(crew: Crew) -> AsyncIterator[Crew]:
    try:
        yield crew
    finally:
        for process in crew.processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


def figures_of(ops: list[Op], target: Target) -> TargetFigures:
    """The figures, however late a loop of ours wakes on a busy machine."""
    (figures,) = judged(ops, Terms({target.name: target.budgets.model_copy(update={"generator_lag": 30.0})}))
    return figures


def shown(figures: TargetFigures) -> tuple[object, ...]:
    return (
        figures.verdict, figures.joins, figures.matches, figures.correct_matches, figures.violations,
        figures.unmatched_users, figures.arrivals_dropped, figures.generator and figures.generator.workers,
    )  # fmt: skip


async def test_a_master_and_two_workers_are_as_two_processes(hardened: Target, crew: Crew, tmp_path: Path) -> None:
    """The workers' journals come together at the master, are judged as one, and say what `--processes 2` says.

    One worker counts from another origin than the master and the other: the journals state the difference.
    """
    elsewhere = another_clock()
    master = await crew.master("--rounds=1")
    workers = [await crew.worker("one"), await crew.worker("two", within=elsewhere)]
    async with asyncio.timeout(PATIENCE):
        codes = [await process.wait() for process in (master, *workers)]
    assert codes == [0, 0, 0], crew.logs()
    assert sorted(path.name for path in crew.histories.iterdir()) == [
        "history.swarm.0.ndjson", "history.swarm.1.ndjson",
    ]  # fmt: skip
    for place in ("one", "two"):  # each has its own, and the master what is in it
        (own,) = (tmp_path / place / "all").glob("history.swarm.*.ndjson")
        assert own.read_bytes().splitlines()[1:] == (crew.histories / own.name).read_bytes().splitlines()[1:]
    clocks = [clock_stated(path) for path in sorted(crew.histories.glob("*.ndjson"))]
    offsets = sorted(clock.offset for clock in clocks if clock is not None)
    errors = [clock.error for clock in clocks if clock is not None]
    assert offsets == pytest.approx([-AHEAD, 0.0] if elsewhere else [0.0, 0.0], abs=max(0.0, *errors))
    assert min(errors) == 0.0
    assert max(errors) < 0.1
    ours = figures_of(read_together(journals_of(crew.histories)), hardened)
    plan = SwarmPlan("search_and_chat", 40, ARRIVALS, processes=2, rounds=1, talk=(0.2, 0.4), drain=1.0, lead=2.0)
    (tmp_path / "forked").mkdir()
    result = await run_swarm(plan, hardened, tmp_path / "forked", name="forked")
    theirs = figures_of(read_together(result.histories), hardened)
    assert shown(ours) == shown(theirs)
    assert shown(ours)[1:7] == (40, 20, 20, {}, 0, 0), ours.reason


@pytest.fixture(autouse=True)
def _no_guard_of_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process takes of a core is the machine's, and other tests run beside these."""
    monkeypatch.setattr("harness.checkers.generator.BUSY", math.inf)


async def test_a_killed_worker_costs_its_users_not_the_run(hardened: Target, crew: Crew, until_lines: Until) -> None:
    """The others go on and the run ends; what the dead one's users did last is unknown, and accuses nobody."""
    master = await crew.master("--arrivals=burst:6/0.01s@0.8s*60", "--talk=1:2")
    one, two = [await crew.worker(place) for place in ("one", "two")]
    async with asyncio.timeout(PATIENCE):
        await until_lines(crew.histories, "join", 24)
        two.kill()
        assert [await one.wait(), await master.wait()] == [0, 0], crew.logs()
    assert "is lost: the run goes on without it" in crew.logs()
    ops = read_together(journals_of(crew.histories))
    figures = figures_of(ops, hardened)
    assert figures.verdict is Verdict.VALID, figures.reason
    health = figures.generator
    assert health is not None
    assert (health.workers, health.lost_workers, health.offered) == (2, 1, 60)
    assert 0 < health.lost == health.dropped == 60 - health.started
    lost = [op for op in ops if op.op == "lost"]
    assert lost
    gone = {op.user for op in lost}
    assert {op.process.partition("@")[0] for op in ops if op.user in gone} == {lost[0].process.partition("@")[0]}
    assert {op.outcome.value for op in ops if op.t1 is None} == {"info"}
