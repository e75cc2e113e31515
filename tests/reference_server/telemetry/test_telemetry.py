"""What happens in a server shows in the next scrape of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from reference_server.telemetry.document import descriptions, with_table

Serving = Callable[..., AbstractAsyncContextManager[Any]]
PAGE = Path(__file__).parents[3] / "docs" / "operation.md"


async def test_a_scrape_tells_every_metric_of_the_page(serving: Serving) -> None:
    """A scrape has the metrics that docs/operation.md lists, all of them and no others, of the kind and with the labels
    that it says."""
    async with serving() as served:
        await served.scrape()
        families = (await served.scrape()).families
    told = {name: (family.type, set().union(*(sample.labels for sample in family.samples)) - {"le"})
            for name, family in families.items()}  # fmt: skip
    assert told == {one.name.removesuffix("_total"): (one.kind, set(one.labels)) for one in descriptions()}


def test_the_page_is_up_to_date() -> None:
    """The table of docs/operation.md is what `python -m reference_server.telemetry.document` writes."""
    assert with_table(PAGE.read_text()) == PAGE.read_text()


async def test_a_match(serving: Serving) -> None:
    """Two joins are two batches, one result each, two latencies, and a session; the waiter's is what he waited."""
    async with serving() as served:
        (_, one), (_, other) = await served.sign_up(), await served.sign_up()
        await served.join(one)
        scrape = await served.scrape()
        assert scrape.value("matchmaking_queue_length") == 1
        assert scrape.value("matchmaking_latency_ms_count") == 0
        began = time.perf_counter()
        await served.scrape()
        waited = (time.perf_counter() - began) * 1000
        await served.join(other)
        scrape = await served.scrape()
    assert scrape.value("matchmaking_joins_total", result="waiting") == 1
    assert scrape.value("matchmaking_joins_total", result="matched") == 1
    assert scrape.value("matchmaking_batch_joins_count") == scrape.value("matchmaking_batch_joins_sum") == 2
    assert scrape.value("matchmaking_batch_duration_seconds_count") == 2
    assert scrape.value("matchmaking_lock_wait_seconds_count") == 2
    assert scrape.value("matchmaking_latency_ms_count") == 2
    assert scrape.value("matchmaking_latency_ms_sum") >= waited * 0.9
    assert scrape.value("matchmaking_queue_length") == 0
    assert scrape.value("active_sessions_count") == 1


async def test_a_lock_that_is_waited_for(serving: Serving) -> None:
    """A batch that another instance keeps waiting tells for how long."""
    async with serving() as served:
        _, token = await served.sign_up()
        async with served.parts.database.transaction() as connection:
            await connection.execute("select gurukul.lock_matching()")
            join = asyncio.create_task(served.join(token))
            await served.blocked()
            began = time.perf_counter()
            await served.scrape()
            held = time.perf_counter() - began
        assert (await join).status == 200
        assert (await served.scrape()).value("matchmaking_lock_wait_seconds_sum") >= held * 0.9


async def test_a_rate_limit(serving: Serving) -> None:
    """A join that comes too often is counted as such, whether the database refuses it or the memory of that."""
    async with serving(join_rate_limit=1) as served:
        _, token = await served.sign_up()
        assert [(await served.join(token)).status for _ in range(3)] == [200, 429, 429]
        scrape = await served.scrape()
    assert scrape.value("matchmaking_joins_total", result="rate_limited") == 2
    assert scrape.value("matchmaking_joins_total", result="waiting") == 1


async def test_other_results_of_a_join(serving: Serving) -> None:
    """A user without an account, a server that stops, and a database that is gone are told apart."""
    async with serving() as served:
        user, token = await served.sign_up()
        await served.execute("delete from auth.users where id = $1", user)
        assert (await served.join(token)).status == 401
        _, token = await served.sign_up()
        served.parts.stopping.set()
        assert (await served.join(token)).status == 503
        served.parts.stopping.clear()
        await served.execute("drop table public.waiting_queue cascade")
        assert (await served.join(token)).status == 500
        joins = served.parts.telemetry.metrics.joins
        told = {result: joins[result]._value.get() for result in joins}
    assert told == {"matched": 0, "waiting": 0, "rate_limited": 0, "no_such_user": 1, "stopping": 1, "failed": 1}


async def test_the_documented_engine(serving: Serving) -> None:
    """Each find_match is counted, those that met 'System busy' too, and both members of a pair have a latency."""
    async with serving(engine="documented", find_match_delay=0) as served:
        users = [await served.sign_up() for _ in range(3)]
        async with served.parts.database.connection() as connection:
            await connection.execute("select pg_advisory_lock(hashtext('matchmaking_lock'))")
            await served.join(users[0][1])
            await served.parts.engine.stop()
            await connection.execute("select pg_advisory_unlock(hashtext('matchmaking_lock'))")
        scrape = await served.scrape()
        assert scrape.value("matchmaking_system_busy_total") == 1
        assert scrape.value("matchmaking_find_match_duration_seconds_count") == 1
        await served.join(users[1][1])
        await served.parts.engine.stop()
        scrape = await served.scrape()
    assert scrape.value("matchmaking_system_busy_total") == 1
    assert scrape.value("matchmaking_find_match_duration_seconds_count") == 2
    assert scrape.value("matchmaking_latency_ms_count") == 2


async def test_statements_are_counted(serving: Serving) -> None:
    """The metric follows the database's own count."""
    async with serving() as served:
        before = served.parts.database.statements.sent
        scrape = await served.scrape()
        assert before <= scrape.value("database_statements_total") <= served.parts.database.statements.sent


async def test_requests_by_route(serving: Serving) -> None:
    """Requests are counted by the route that served them and its status; what callers make up is one route, "other"."""
    async with serving() as served:
        for path in ("/health", "/health", "/rest/v1/profiles", "/rest/v1/chat_sessions", "/made/up", "/made/up/too"):
            await served.client.call("GET", path)
        await served.client.call("BREW", "/health")
        scrape = await served.scrape()
    assert scrape.value("http_requests_total", method="GET", route="/health", status="200") == 2
    assert scrape.value("http_requests_total", route="other", status="404") == 2
    assert scrape.value("http_requests_total", method="other", status="405") == 1
    assert scrape.value("http_request_duration_seconds_count", method="GET", route="/health") == 2
    routes = {dict(labels)["route"] for name, labels in scrape if name == "http_requests_total"}
    assert not any("profiles" in route or "made" in route for route in routes)


async def test_the_pool(serving: Serving) -> None:
    """The pool's size and what is lent out are told, and each wait for a connection is measured, also one in vain."""
    async with serving() as served:
        before = await served.scrape()
        async with served.parts.database.connection(), served.parts.database.connection():
            scrape = await served.scrape()
    assert scrape.value("database_pool_connections") == 4
    assert scrape.value("database_pool_connections_used") >= 2
    assert scrape.value("database_pool_wait_seconds_count") >= before.value("database_pool_wait_seconds_count") + 3


async def test_a_loop_that_is_held_up(serving: Serving) -> None:
    """A callback that keeps the event loop for 0.3 s shows as a timer that was at least 0.05 s late."""
    async with serving() as served:
        before = await served.scrape()
        time.sleep(0.3)  # noqa: ASYNC251 — that is what is to be seen
        async with asyncio.timeout(10):
            while (scrape := await served.scrape()).value("event_loop_lag_seconds_count") == before.value(
                "event_loop_lag_seconds_count"
            ):
                pass
    assert scrape.value("event_loop_lag_seconds_sum") - before.value("event_loop_lag_seconds_sum") >= 0.04
    assert scrape.value("asyncio_tasks") >= 2
    assert scrape.value("process_resident_memory_bytes") > 1_000_000
    assert scrape.value("process_cpu_seconds_total") >= before.value("process_cpu_seconds_total")


async def test_a_database_that_is_gone(serving: Serving) -> None:
    """The scrape is answered without what only the database knows, and says that it is down."""
    async with serving() as served:
        assert (await served.scrape()).value("database_up") == 1
        await served.parts.database.close()
        scrape = await served.scrape()
    assert scrape.value("database_up") == 0
    assert scrape.value("matchmaking_joins_total") == 0
    gone = {"matchmaking_queue_length", "active_sessions_count", "database_connections", "database_dead_tuples"}
    assert not gone & scrape.names()


async def test_servers_in_one_process_do_not_meet(serving: Serving) -> None:
    """What one server counts is not counted by another beside it."""
    async with serving() as one, serving() as other:
        await one.client.call("GET", "/health")
        assert (await one.scrape()).value("http_requests_total", route="/health") == 1
        assert ("http_requests_total", "/health") not in {
            (name, dict(labels).get("route")) for name, labels in await other.scrape()
        }


async def test_without_metrics(serving: Serving) -> None:
    """Where they are turned off there is no such address."""
    async with serving(metrics=False) as served:
        assert (await served.client.call("GET", "/metrics")).status == 404


@pytest.mark.parametrize("accept", ["application/openmetrics-text; version=1.0.0", "*/*"])
async def test_open_metrics(serving: Serving, accept: str) -> None:
    """A scraper that asks for OpenMetrics gets it, with the end mark; others get the text format."""
    async with serving() as served:
        answer = await served.client.call("GET", "/metrics", headers={"accept": accept})
    asked = accept.startswith("application/openmetrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text" if asked else "text/plain")
    assert answer.body.endswith(b"# EOF\n") == asked


async def test_dropped_changes(serving: Serving) -> None:
    """What the plan's rate keeps from a channel is counted once, however often the server is scraped."""
    async with serving() as served:
        quotas = served.parts.realtime.quotas
        quotas.changes.limit = 0.0
        assert [quotas.take_change() for _ in range(3)] == [False] * 3
        await served.scrape()
        assert (await served.scrape()).value("realtime_changes_dropped_total") == 3
