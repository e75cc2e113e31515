"""What a target tells of itself: read from its text, and cut to a stretch of time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.lab.costs import PATIENCE, CostMeter
from harness.lab.deployment import deployment
from harness.lab.metrics import between, read_metrics, scraped
from harness.lab.postgres import Cluster
from harness.lab.sessions import sessions_made
from harness.lab.watching import Looks, watching
from harness.load.arrivals import schedule
from harness.load.joins import run_joins

TEXT = b"""# HELP a text
# TYPE http_requests_total counter
http_requests_total{method="GET",route="/a b"} 3.0
http_requests_total{method="POST",route="x"} 4.0
matchmaking_batch_joins_bucket{le="1.0"} 5.0
matchmaking_batch_joins_count 10.0
matchmaking_batch_joins_sum 40.0
matchmaking_system_busy_total 2.0
odd NaNsense
"""


def test_samples_of_one_name_are_added_up() -> None:
    """Over their labels; buckets and nonsense are left out."""
    assert read_metrics(TEXT) == {
        "http_requests_total": 7.0, "matchmaking_batch_joins_count": 10.0, "matchmaking_batch_joins_sum": 40.0,
        "matchmaking_system_busy_total": 2.0,
    }  # fmt: skip


def test_a_stretch_has_means_and_counts() -> None:
    """Of what grew meanwhile; nothing without two looks."""
    before = read_metrics(TEXT)
    after = before | {"matchmaking_batch_joins_count": 14.0, "matchmaking_batch_joins_sum": 52.0}
    assert between(before, after) == {"batch_joins": 3.0}
    assert between(None, after) == between(before, None) == {}


def test_the_looks_around_a_stretch_count() -> None:
    """The last before it and the first after it, else the outermost."""
    looks = Looks()
    for moment in range(6):
        looks.took(float(moment), {"matchmaking_system_busy_total": moment * moment})
    looks.took(9.0, None)
    assert looks.during(1.5, 3.5) == {"system_busy": 15}
    assert looks.during(-1.0, 99.0) == {"system_busy": 25}
    assert Looks().during(0.0, 1.0) == {}


async def test_a_deployment_is_counted_from_its_start_to_its_end(cluster: Cluster, tmp_path: Path) -> None:
    """Joins alone on the hardened engine: rows are made when users join, statements and rows are counted, and no
    message goes over a socket but the change feed's."""
    meter = CostMeter()
    async with deployment("hardened", cluster, tmp_path / "server.log", ended=meter.end) as there:
        await meter.begin(there.target)
        due = schedule("constant", users=40, rate=100.0, duration=None, seed=1)
        async with watching(there.target) as looks:
            tally = await run_joins(due, there.target, tmp_path / "history.ndjson")
        made = await sessions_made(there.target)
        await meter.stop(there.target)
        gone = there.target
    assert (tally.offered, tally.started, tally.finished) == (40, 40, 40)
    assert len(made) == 20
    assert 0.0 < made[-1].at - made[0].at < 5.0
    told = looks.during(made[0].at, made[-1].at)
    assert told["batch_joins"] >= 1.0
    assert told["statements"] > 0
    costs = meter.costs(20)
    assert costs is not None
    assert costs.statements is not None and costs.statements > 2
    assert costs.wal_bytes is not None and costs.wal_bytes > 500
    assert costs.dead_tuples is not None and costs.dead_tuples > 0
    assert meter.costs(0) is None
    assert await scraped(gone) is None


async def test_a_deployment_that_goes_on_is_not_waited_for(cluster: Cluster, tmp_path: Path) -> None:
    """Its connections do not end: it is asked at once. One whose database is gone has counted nothing more."""
    running, lost = CostMeter(), CostMeter()
    async with deployment("hardened", cluster, tmp_path / "server.log") as there:
        database_url = there.target.capabilities.database_url
        await running.begin(there.target)
        await lost.begin(there.target)
        due = schedule("constant", users=2, rate=100.0, duration=None, seed=1)
        await run_joins(due, there.target, tmp_path / "history.ndjson")
        async with asyncio.timeout(PATIENCE / 2):
            await running.end(database_url, ended=False)
    costs = running.costs(1)
    assert costs is not None
    assert costs.wal_bytes is not None and costs.wal_bytes > 0
    await lost.end(database_url)
    assert lost.costs(1) is None


def test_nothing_is_counted_where_nobody_looked() -> None:
    """A meter that was never begun has no costs."""
    assert CostMeter().costs(5) is None


@pytest.mark.parametrize("name", ["statements", "wal_bytes", "dead_tuples", "frames"])
def test_costs_have_a_tolerance_each(name: str) -> None:
    """What is compared is what is counted."""
    from harness.results.costs import TOLERANCES, Costs

    assert name in TOLERANCES and name in Costs.model_fields
