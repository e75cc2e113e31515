"""Reported times are true: what a server with known delays did, also where it stalls, and where a run is cut off."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from harness.cli.judging import Terms, judged
from harness.history.journal import read_history
from harness.history.op import Op
from harness.load.swarm import SwarmPlan, run_swarm
from harness.results.run import TargetFigures
from harness.results.spread import Spread
from harness.target import Budgets, dump_target
from tests.harness.load.calibrated import ROOT, Delay, Running, Served, Table, calibrated, drawn

pytestmark = pytest.mark.long

USERS, RATE = 200, 40
ANSWERS, PUSHES = (3.0, 7.0), (7.5, 12.0)
"""Seconds: so long that one in a hundred is more than a busy machine takes from a process now and then."""
POINTS = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}
WITHIN = 0.01
PATIENT = Budgets(match=PUSHES[1], notify=5.0, generator_lag=WITHIN * ANSWERS[0])
"""Users are kept waiting here; and a loop that lags as much as the times may be off has measured itself."""


def spread_of(seconds: Sequence[float]) -> dict[str, float]:
    """The percentiles of these times in milliseconds, by nearest rank."""
    ordered = sorted(seconds)
    return {name: ordered[math.ceil(point / 100 * len(ordered)) - 1] * 1000 for name, point in POINTS.items()}


def points(spread: Spread) -> dict[str, float | None]:
    """The same percentiles as they were reported."""
    return {name: getattr(spread, name) for name in POINTS}


async def started(verb: Sequence[str], running: Running, folder: Path) -> Process:
    """`gurukul swarm …` against a calibrated server; the run's figures will be in `run.json` of the folder."""
    (folder / "target.toml").write_text(dump_target(running.target(budgets=PATIENT)))
    scenario, *options = verb
    command = ["swarm", scenario, "target.toml", "--results", "results", "--json", "run.json", *options]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "harness.cli", *command, cwd=folder, stdout=PIPE, stderr=PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def figures_in(folder: Path) -> TargetFigures:
    """What the run reported."""
    return TargetFigures.model_validate(orjson.loads((folder / "run.json").read_bytes())["targets"][0])


# ---------------------------------------------------------------- known delays


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[TargetFigures, Sequence[Served]]:
    """A swarm through a server whose answers and pushes have known delays."""
    folder = tmp_path_factory.mktemp("truth")
    async with calibrated(Table(drawn(1, USERS, ANSWERS, PUSHES)), folder) as running:
        arrivals = f"constant:{RATE}/s*{USERS}"
        command = await started(["push_only", "--arrivals", arrivals, "--talk", "0.1:0.2"], running, folder)
        _, said = await command.communicate()
        served, _ = await running.ledger()
    assert command.returncode in {0, 2}, said.decode()
    return figures_in(folder), served


@pytest.mark.asyncio(loop_scope="module")
async def test_all_came_and_were_told(measured):
    """Every delay of the table was met; and the verdict is valid if, and only if, the generator was in time."""
    figures, served = measured
    assert len(served) == USERS
    assert (figures.join_ms.count, figures.join_to_match_ms.count, figures.censored_waits) == (USERS, USERS, 0)
    assert figures.violations == {}
    late = figures.generator.loop_lag_p99_ms > PATIENT.generator_lag * 1000
    assert (figures.verdict, bool(figures.generator.trouble)) == (("unknown", True) if late else ("valid", False))


@pytest.mark.asyncio(loop_scope="module")
async def test_http_takes_what_it_took(measured):
    """p50, p90, p99 and max of `join_ms` are within 1 % of what the server waited before it answered."""
    figures, served = measured
    assert off(figures.join_ms, [one.answered - one.arrived for one in served], figures) == {}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_push_takes_what_it_took(measured):
    """So are those of `join_to_match_ms`, of what the server waited before it pushed the match."""
    figures, served = measured
    assert off(figures.join_to_match_ms, [one.pushed - one.arrived for one in served], figures) == {}


def off(
    reported: Spread, injected: Sequence[float], figures: TargetFigures, slowness: float = 0.0
) -> dict[str, tuple[float, float]]:
    """The points, reported and injected, that are apart by more than 1 %.

    A generator that was given no time by its machine reports times that are longer, and says by how much: so much is
    allowed above. On a machine with time to spare that is a millisecond or two. `slowness` is the server's, where the
    injected times are predicted and not what it measured.
    """
    said, true = points(reported), spread_of(injected)
    late = figures.generator.loop_lag_max_ms + slowness
    return {
        name: (said[name], true[name])
        for name in POINTS
        if not true[name] * (1 - WITHIN) <= said[name] <= true[name] * (1 + WITHIN) + late
    }


# ---------------------------------------------------------------- a stall

STALL = 2.0
STEADY = Delay(join=0.15, push=1.05)
"""Between the arrivals, which are 0.1 s apart: the stall begins with one of them, and must not meet an answer there."""
STALLING = Table((STEADY,), stall_at=30, stall=STALL)
STEADILY = SwarmPlan("search_and_chat", 100, "constant:10/s", talk=(0.1, 0.2), rounds=1, drain=0.5, lead=6.0, seed=3)
"""Users sign up 2.4 s before they are due at the latest, so that the stall delays no sign-up for too long."""
CLOSED = replace(STEADILY, users=48, arrivals="closed:4", talk=(0.0, 0.0), lead=1.0)


@dataclass
class Stalled:
    """What came of a swarm through a server that stalled, and from when to when it did."""

    figures: TargetFigures
    joins: list[Op]
    served: Sequence[Served]
    start: float
    end: float

    def predicted(self, after: float) -> list[float]:
        """How long each user must wait in an open model, from when he was due, for what takes so long by itself."""
        return [self._wait(join.due, after) for join in self.joins]

    def _wait(self, due: float, after: float) -> float:
        if self.start <= due < self.end:
            return self.end + after - due
        return self.end - due if due < self.start <= due + after < self.end else after

    @property
    def slowness(self) -> float:
        """By how much the server was late when it did not stall, at most, in milliseconds."""
        calm = (one for one in self.served if one.answered < self.start or one.arrived > self.end)
        return 1000 * max(one.answered - one.arrived - STEADY.join for one in calm)


async def stalled(plan: SwarmPlan, folder: Path) -> Stalled:
    """Sends a swarm through the stalling server."""
    async with calibrated(STALLING, folder) as running:
        target = running.target(budgets=Budgets(match=0.5, notify=5.0))
        result = await run_swarm(plan, target, folder, name="calibrated.swarm")
        served, between = await running.ledger()
    ops = [op for history in result.histories for op in read_history(history)]
    (figures,) = judged(ops, Terms({"calibrated": target.budgets}))
    return Stalled(figures, sorted((op for op in ops if op.op == "join"), key=lambda op: op.due), served, *between)


async def test_a_stall_shows_as_an_open_model_must_show_it(tmp_path):
    """Who is due while nobody answers waits for the rest of the stall: the tail is what the schedule predicts."""
    run = await stalled(STEADILY, tmp_path)
    first = run.joins[0].due
    assert [join.due - first for join in run.joins] == pytest.approx([n / 10 for n in range(100)], abs=1e-3)
    matched, joined = run.predicted(STEADY.push), run.predicted(STEADY.join)
    assert sum(wait > 2.0 for wait in matched) >= 10
    assert off(run.figures.join_to_match_ms, matched, run.figures, run.slowness) == {}
    assert off(run.figures.join_ms, joined, run.figures, run.slowness) == {}
    assert run.figures.join_to_match_ms.p90 > 2_000


async def test_a_closed_model_hides_it(tmp_path):
    """The same stall under a closed model is felt by those who were under way alone: a handful, however long it is."""
    run = await stalled(CLOSED, tmp_path)
    assert 0 < sum(join.t1 - join.t0 > 1.0 for join in run.joins) <= 4
    assert run.figures.join_ms.p90 < 1_000
    assert run.figures.generator.model == "closed"


# ---------------------------------------------------------------- a run that is cut


async def test_a_wait_that_is_cut_off_is_censored(tmp_path):
    """After Ctrl-C those who were told are matches; those who still waited are censored: no success, and no time."""
    half = 10
    table = Table((*[Delay(0.05, 0.1)] * half, *[Delay(0.05, None)] * half))
    async with calibrated(table, tmp_path) as running:
        verb = ["push_only", "--arrivals", f"burst:{2 * half}/1s@1s*{2 * half}", "--talk", "0.1:0.2"]
        command = await started(verb, running, tmp_path)
        async for line in command.stderr:
            if f"{2 * half} of {2 * half} users joined, {half} matched".encode() in line:
                break
        command.send_signal(signal.SIGINT)
        _, said = await command.communicate()
    assert command.returncode == 2, said.decode()
    figures = figures_in(tmp_path)
    assert figures.verdict == "unknown"
    assert (figures.join_to_match_ms.count, figures.censored_waits, figures.unmatched_users) == (half, half, half)
    assert figures.join_to_match_ms.max < 1_000
    assert locust_row(tmp_path, "due → matched") == (half, 0)


def locust_row(folder: Path, name: str) -> tuple[int, int]:
    """Requests and failures of a row in Locust's own summary."""
    (log,) = folder.glob("results/*/**/locust.*.log")
    row: Any = next(line for line in log.read_text().splitlines() if name in line)
    requests, failures = row.split(name)[1].split()[:2]
    return int(requests), int(failures.partition("(")[0])
