"""Several workers answer a scrape as one server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
from websockets.asyncio.client import connect

DEADLINE = 60.0
Started = Callable[..., AbstractAsyncContextManager[Any]]


def instance(request_id: str) -> str:
    """Which process made an id."""
    return request_id.partition("-")[0]


def folders(place: Path) -> list[Path]:
    return list(place.glob("gurukul-metrics-*"))


async def test_workers_add_up(started: Started, tmp_path: Path) -> None:
    """A scrape of either of two workers has the requests and the sockets of both. When one is killed its sockets are
    gone from the gauge, but what it counted is not; the folder of the metrics goes with the server, and so do those of
    servers that were killed."""
    (tmp_path / "gurukul-metrics-999999999-x").mkdir()
    async with started("--workers", "2", "--log-format", "json", "--access-log") as remote, AsyncExitStack() as stack:
        assert len(folders(tmp_path)) == 1
        requests, opened = 0, dict[str, int]()
        async with asyncio.timeout(DEADLINE):
            while len(opened) < 2:
                assert (await remote.get("/health")).status == 200
                requests += 1
                socket = await stack.enter_async_context(connect(remote.socket_url))
                made_by = instance(socket.response.headers["X-Request-Id"])
                opened[made_by] = opened.get(made_by, 0) + 1
        sockets = sum(opened.values())
        scrape = await remote.scrape_until(lambda scrape: scrape.value("websocket_connections") == sockets)
        assert scrape.value("http_requests_total", route="/health") == requests
        assert scrape.value("database_pool_connections") == 6
        memory = scrape.value("process_resident_memory_bytes")

        os.kill(remote.ready["workers"][0], signal.SIGKILL)
        scrape = await remote.scrape_until(lambda scrape: scrape.value("database_pool_connections") == 3)
        assert scrape.value("websocket_connections") in opened.values()
        assert scrape.value("http_requests_total", route="/health") == requests
        assert scrape.value("process_resident_memory_bytes") < memory
        lines = [orjson.loads(line) for line in await remote.stop()]
    assert folders(tmp_path) == []
    assert {line["pid"] for line in lines if line.get("route") == "/health"} <= set(remote.ready["workers"])
