"""Runs of the same server are told to be alike, and one of a server with some ms more for each join to be worse."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from harness.lab.deployment import deployment
from harness.lab.postgres import Cluster
from harness.lab.program import run_module
from harness.results.compare import Comparison, compare
from harness.results.store import StoredRun, load_run
from harness.target import dump_target

TRIES = int(os.environ.get("COMPARE_TRIES", "3"))
USERS = int(os.environ.get("COMPARE_USERS", "160"))
RATE = 8.0
"""Users per second of each swarm: three of them must be far from what two cores can carry."""
SLOWER = Path(__file__).parent / "plugins" / "slower_joins.py"
SIDES = ("base", "again", "slower")


async def test_comparing(cluster: Cluster, folder: Path) -> None:
    """Of COMPARE_TRIES pairs of the same server one may differ (20 for the bar); the slower one never passes.

    It is slower by COMPARE_SLOWER_MS: 50 ms, which stand out on any machine; 5 for the bar, on a quiet one.

    Every try has three servers and three swarms of its own, side by side, so that what else the machine does falls on
    all of them at the same time.
    """
    tries = [await one_try(cluster, folder / f"{number:02}") for number in range(TRIES)]
    told = [{name: one.model_dump(mode="json", by_alias=True) for name, one in tried.items()} for tried in tries]
    (folder / "comparisons.json").write_text(json.dumps(told, indent=1))
    alike = [tried["again"].verdict for tried in tries]
    slower = [tried["slower"].verdict for tried in tries]
    assert slower == ["worse"] * TRIES, [tried["slower"].reason for tried in tries]
    assert alike.count("no difference") >= TRIES - max(1, TRIES // 20), [tried["again"].reason for tried in tries]


async def one_try(cluster: Cluster, folder: Path) -> dict[str, Comparison]:
    """The second run of the plain server, and the run of the slower one, each beside the first run."""
    async with asyncio.TaskGroup() as group:
        runs = {
            name: group.create_task(measured(cluster, made(folder / name), slower=name == "slower")) for name in SIDES
        }
    return {name: compare(runs["base"].result(), runs[name].result()) for name in SIDES[1:]}


async def measured(cluster: Cluster, folder: Path, *, slower: bool) -> StoredRun:
    """A swarm through a fresh deployment."""
    settings: dict[str, object] = {"mutant": SLOWER} if slower else {}
    async with deployment("hardened", cluster, folder / "server.log", settings=settings) as there:
        target = folder / "target.toml"
        target.write_text(dump_target(there.target))
        out = folder / "swarm.json"
        arguments = ["swarm", "search_and_chat", str(target), "--users", str(USERS), "--rate", str(RATE)]
        arguments += ["--talk", "0.5:1", "--rounds", "1", "--peer-share", "0"]
        arguments += ["--results", str(folder), "--json", str(out)]
        status, why = await run_module("harness.cli", arguments, folder / "swarm.log", lambda _line: None)
        target.unlink()
    assert status == 0, why
    return load_run(out)


def made(folder: Path) -> Path:
    """The folder, now that there is one."""
    folder.mkdir(parents=True)
    return folder
