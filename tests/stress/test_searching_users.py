"""Thousands of users search at once, with open sockets, heartbeats and polls, against one instance: none is lost."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson
import psutil

from harness.checkers.figures import figures
from harness.checkers.judge import judge
from harness.history.journal import merge_histories, read_history
from harness.history.op import Op
from harness.lab.deployment import Deployment, deployment
from harness.load.swarm import SwarmPlan, run_swarm
from harness.results.run import TargetFigures
from tests.benchmarks.deployment import allow_files
from tests.stress.test_soak import metric, until

USERS = int(os.environ.get("SEARCHING_USERS", "500"))
SECONDS = float(os.environ.get("SEARCHING_SECONDS", "30"))
"""How long all of them search; a heartbeat goes out every 25 s."""
RATE = float(os.environ.get("SEARCHING_RATE", "100"))
LEAD = float(os.environ.get("SEARCHING_LEAD", "10"))
"""How long before the first comes they begin to sign up and to open their sockets, in seconds."""
PROCESSES = int(os.environ.get("SEARCHING_PROCESSES", "1"))
SETTINGS: dict[str, object] = {
    "mutant": Path(__file__).parent / "plugins" / "nobody_is_paired.py", "ping_interval": 30.0, "ping_timeout": 20.0,
}  # fmt: skip
"""A ping goes to who has not sent his own heartbeat in time, and not to everybody every 4 s."""
MOST_KB = 60.0
EVERY = 5.0
COMING = USERS / RATE
PATIENCE = 1.2 * (COMING + SECONDS)
PLAN = SwarmPlan(
    "search_and_chat", USERS, "constant", rate=RATE, lead=LEAD, patience=PATIENCE, drain=PATIENCE + 5,
    processes=PROCESSES, rounds=1, seed=4,
)  # fmt: skip
"""Everybody searches for so long that all are there for SECONDS, even where some come late."""


async def test_searching_users(cluster, folder):
    """No socket breaks, every poll is answered, heartbeats within 1 s at p99, and a user costs at most 60 KB."""
    allow_files(USERS + 5_000)
    async with deployment("hardened", cluster, folder / "server.log", settings=SETTINGS) as deployed:
        samples, histories = await searching(deployed, folder)
    merge_histories(histories, folder / "history.ndjson")
    ops = read_history(folder / "history.ndjson")
    measured = figures(ops, judge(ops, deployed.target.budgets), "hardened", deployed.target.budgets)
    report = {
        "users": USERS, "seconds": SECONDS, "together": together(ops), "figures": measured.model_dump(),
        "samples": samples,
    }  # fmt: skip
    (folder / "samples.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    all_there = max(sample["websocket_connections"] for sample in samples)
    assert (measured.unmatched_users, all_there, measured.matches) == (USERS, USERS, 0)
    assert together(ops) >= SECONDS
    assert lost(measured, ops) == (0, 0, 0)
    assert measured.heartbeat_ms.count >= USERS
    assert measured.heartbeat_ms.p99 <= 1_000
    assert measured.generator.kb_per_user <= MOST_KB


def lost(measured: TargetFigures, ops: list[Op]) -> tuple[int, int, int]:
    """Sockets that broke, heartbeats that nobody answered, and polls without an answer or with a refusal."""
    asked = sum(op.op == "poll" for op in ops)
    return measured.sockets_lost, measured.heartbeats_unanswered, asked - measured.poll_ms.count


def together(ops: list[Op]) -> float:
    """Seconds from the moment when the last one has begun to poll, to the moment when the first one leaves."""
    begun: dict[str, float] = {}
    for op in sorted((op for op in ops if op.op == "poll"), key=lambda op: op.t0):
        begun.setdefault(op.user, op.t0)
    return min(op.t0 for op in ops if op.op == "leave") - max(begun.values())


# ---------------------------------------------------------------- the run


@dataclass
class _Spent:
    """A process, and the CPU time that it had used when it was looked at last."""

    process: psutil.Process
    before: float = 0.0

    def used(self) -> float:
        """Seconds of CPU time since the last look."""
        times = self.process.cpu_times()
        used = times.user + times.system
        spent, self.before = used - self.before, used
        return spent


async def searching(deployed: Deployment, folder: Path) -> tuple[list[dict[str, float]], list[Path]]:
    """Runs the swarm; samples of the server while it runs, and the histories."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        sampling = group.create_task(sample_until(over, deployed, folder / "samples.ndjson"))
        swarm = group.create_task(run_swarm(PLAN, deployed.target, folder, name="searching"))
        swarm.add_done_callback(lambda _: over.set())
    return sampling.result(), swarm.result().histories


async def sample_until(over: asyncio.Event, deployed: Deployment, into: Path) -> list[dict[str, float]]:
    """A sample every `EVERY` seconds, each of them kept at once: they tell where a run that failed got stuck."""
    clock = asyncio.get_running_loop().time
    start, samples = clock(), []
    server, generators = _Spent(psutil.Process(deployed.server.pid)), _Generators()
    async with aiohttp.ClientSession() as http:
        while not over.is_set():
            async with http.get(f"{deployed.server.url}/metrics") as answer:
                text = await answer.text()
            samples.append({
                "at": clock() - start, "server_cpu": server.used() / EVERY, "generator_cpu": generators.used() / EVERY,
                "machine_cpu": psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1),
                "server_mb": server.process.memory_info().rss / 1e6, "generator_mb": generators.megabytes,
                "websocket_connections": metric(text, "websocket_connections"),
            })  # fmt: skip
            with into.open("ab") as file:
                file.write(orjson.dumps(samples[-1], option=orjson.OPT_APPEND_NEWLINE))
            await until(over, start + EVERY * len(samples))
    return samples


class _Generators:
    """The load generators among the processes of this test."""

    def __init__(self) -> None:
        self._known: dict[int, _Spent] = {}
        self.megabytes = 0.0

    def used(self) -> float:
        """Seconds of CPU time since the last look, of all together."""
        self.megabytes = spent = 0.0
        for child in psutil.Process().children(recursive=True):
            try:
                if "locust" in child.cmdline():
                    spent += self._known.setdefault(child.pid, _Spent(child)).used()
                    self.megabytes += child.memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                continue
        return spent
