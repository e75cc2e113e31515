"""A soak at half the ceiling: what the server and its database hold must level off."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import aiohttp
import asyncpg
import orjson
import psutil

from harness.checkers.judge import judge
from harness.history.journal import merge_histories, read_history
from harness.lab.deployment import Deployment, deployment
from harness.load.swarm import SwarmPlan, SwarmResult, run_swarm
from harness.results.finding import Verdict
from tests.stress.levels import Bound, rises, thirds

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
CEILING = 100.0
"""Joins per second of this scenario that a machine with two cores sustains, generator, server and PostgreSQL together:
stepped up by 20 every 8 s, 100/s were sent in time and answered with p95 225 ms; at 120/s the generator fell behind."""
RATE = float(os.environ.get("SOAK_RATE", CEILING / 2))
LATEST = 5.0
"""Seconds by which a join may miss its due time; past that the generator has measured a machine that had no time."""
PLAN = SwarmPlan(
    "search_and_chat", int(RATE * SECONDS), "poisson", rate=RATE, duration=SECONDS, talk=(2.0, 4.0), seed=6, rounds=1,
    at_once=int(RATE * 30),
)  # fmt: skip
"""By chance, so that joins meet: where each was answered before the next came, no race was run."""
EVERY = max(1.0, SECONDS / 120)
"""Seconds between two samples."""
NAPTIME = max(1, min(60, round(SECONDS / 30)))
"""PostgreSQL's autovacuum_naptime in seconds: in a short soak it looks as often as in one of half an hour."""

HOT_TABLES = ("waiting_queue", "chat_sessions", "session_members", "live_sockets", "instances", "recent_joins")


BOUNDS = {
    "resident_bytes": Bound(0.05, 8_000_000),
    "open_files": Bound(0.25, 20),
    "asyncio_tasks": Bound(0.25, 20),
    "websocket_connections": Bound(0.25, 20),
    "database_connections": Bound(0.0, 3),
    "replication_slots": Bound(0.0, 0),
    "slot_retained_bytes": Bound(0.5, 32_000_000),
    **{f"dead_tuples.{table}": Bound(0.5, 1_000) for table in HOT_TABLES},
    "size.waiting_queue": Bound(0.25, 65_536),
    "size.session_members": Bound(0.25, 65_536),
    "size.live_sockets": Bound(0.25, 65_536),
}
"""Those of `size` are tables that empty again; chat_sessions keeps its rows."""


async def test_what_is_held_levels_off(cluster, folder):
    """Each figure's median in the last third of the run is within its bound of that in the middle third."""
    await look_often(cluster.url)
    async with deployment("hardened", cluster, folder / "server.log") as deployed:
        samples, result = await soak(deployed, folder)
    levels = {figure: thirds([sample[figure] for sample in samples]) for figure in BOUNDS}
    report = {"rate": RATE, "seconds": SECONDS, "autovacuum_naptime": NAPTIME, "levels": levels, "samples": samples}
    (folder / "samples.json").write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    assert result.latest <= LATEST, f"the machine could not send {RATE:g} joins/s in time: set SOAK_RATE to less"
    assert {figure: pair for figure, pair in levels.items() if rises(pair, BOUNDS[figure])} == {}
    assert (result.started, result.dropped) == (result.offered, 0)
    merge_histories(result.histories, folder / "history.ndjson")
    judged = judge(read_history(folder / "history.ndjson"), deployed.target.budgets, deployed.target.capabilities)
    assert (judged.verdict, judged.violations) == (Verdict.VALID, {})


# ---------------------------------------------------------------- the run


async def look_often(cluster_url: str) -> None:
    """Sets how often autovacuum looks at the tables."""
    connection = await asyncpg.connect(cluster_url)
    try:
        await connection.execute(f"alter system set autovacuum_naptime = {NAPTIME}")
        await connection.execute("select pg_reload_conf()")
    finally:
        await connection.close()


async def soak(deployed: Deployment, folder: Path) -> tuple[list[dict[str, float]], SwarmResult]:
    """Runs the swarm, and takes samples from its first join to its last."""
    joined, over = asyncio.Event(), asyncio.Event()

    def progress(so_far) -> None:
        if so_far.started:
            joined.set()
        if so_far.started + so_far.dropped >= so_far.offered:
            over.set()

    async with asyncio.TaskGroup() as group:
        sampling = group.create_task(sample_until(over, joined, deployed))
        swarm = group.create_task(run_swarm(PLAN, deployed.target, folder, name="soak", progress=progress))
        swarm.add_done_callback(lambda _: (joined.set(), over.set()))
    return sampling.result(), swarm.result()


async def sample_until(over: asyncio.Event, joined: asyncio.Event, deployed: Deployment) -> list[dict[str, float]]:
    """A sample every `EVERY` seconds from the first join on."""
    await joined.wait()
    samples: list[dict[str, float]] = []
    clock = asyncio.get_running_loop().time
    start = clock()
    connection = await asyncpg.connect(deployed.database_url)
    try:
        async with aiohttp.ClientSession() as http:
            while not over.is_set():
                samples.append({"at": clock() - start, **await sample(deployed, connection, http)})
                await until(over, start + EVERY * len(samples))
    finally:
        await connection.close()
    return samples


async def until(event: asyncio.Event, moment: float) -> None:
    """Waits for an event, but no longer than to a moment of the loop's clock."""
    try:
        async with asyncio.timeout_at(moment):
            await event.wait()
    except TimeoutError:
        return


# ---------------------------------------------------------------- one sample


async def sample(deployed: Deployment, connection: asyncpg.Connection, http: aiohttp.ClientSession) -> dict[str, float]:
    """All figures of this moment."""
    process = psutil.Process(deployed.server.pid)
    figures = dict(await connection.fetch(FIGURES)) | dict(await connection.fetch(TABLES, list(HOT_TABLES)))
    async with http.get(f"{deployed.server.url}/metrics") as answer:
        text = await answer.text()
    return {
        "resident_bytes": process.memory_info().rss,
        "open_files": process.num_fds(),
        "asyncio_tasks": metric(text, "asyncio_tasks"),
        "websocket_connections": metric(text, "websocket_connections"),
        **{name: float(value or 0) for name, value in figures.items()},
    }


def metric(text: str, name: str) -> float:
    """One value of the Prometheus text format."""
    found = re.search(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)
    assert found is not None, f"/metrics has no {name}"
    return float(found[1])


FIGURES = """
select 'database_connections', count(*)::float8 from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()
union all select 'replication_slots', count(*) from pg_replication_slots where database = current_database()
union all select 'slot_retained_bytes', max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))
          from pg_replication_slots where database = current_database()
union all select 'live_rows.waiting_queue', count(*) from public.waiting_queue
"""
TABLES = """
select 'dead_tuples.' || relname, n_dead_tup::float8 from pg_stat_user_tables where relname = any ($1)
union all select 'size.' || relname, pg_relation_size(relid)::float8 from pg_stat_user_tables where relname = any ($1)
union all select 'vacuums.' || relname, autovacuum_count::float8 from pg_stat_user_tables where relname = any ($1)
"""
