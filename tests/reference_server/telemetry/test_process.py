"""A server as a process: its sockets and its feed in the metrics, its requests in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

DEADLINE = 60.0
Started = Callable[..., AbstractAsyncContextManager[Any]]
SUBSCRIBE = {
    "topic": "realtime:queue",
    "event": "phx_join",
    "ref": "1",
    "payload": {"config": {"postgres_changes": [{"event": "DELETE", "schema": "public", "table": "waiting_queue"}]}},
}


async def _until(socket: Any, event: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while orjson.loads(await socket.recv())["event"] != event:
            pass


async def _come_and_go(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        user = uuid4()
        await connection.execute("insert into auth.users (id, is_anonymous) values ($1, true)", user)
        await connection.execute("insert into public.waiting_queue (user_id) values ($1)", user)
        await connection.execute("delete from public.waiting_queue")
    finally:
        await connection.close()


async def test_sockets_and_feed(started: Started, database_url: str) -> None:
    """A socket, its subscription and a change that was pushed to it are in the metrics; closed, it is gone."""
    async with started() as remote:
        async with connect(remote.socket_url) as socket:
            await socket.send(orjson.dumps(SUBSCRIBE).decode())
            await _until(socket, "system")
            await _come_and_go(database_url)
            await _until(socket, "postgres_changes")
            scrape = await remote.scrape_until(lambda scrape: scrape.value("realtime_feed_lag_seconds_count") > 0)
            assert scrape.value("websocket_connections") == 1
            assert scrape.value("realtime_subscriptions") == 1
            assert 0 < scrape.value("realtime_feed_lag_seconds_sum") < DEADLINE
            assert scrape.value("realtime_changes_dropped_total") == 0
            assert scrape.value("realtime_frames_total", direction="received") > 0
            assert scrape.value("realtime_frames_total", direction="sent") > 1
            assert scrape.value("database_replication_slots", state="active") == 1
        await remote.scrape_until(lambda scrape: scrape.value("websocket_connections") == 0)
        assert await remote.stop() == []


async def test_the_log(started: Started) -> None:
    """With an access log each request is a line of JSON with the id that its answer names. A refused upgrade is
    answered with an id too, and is no error."""
    async with started("--log-format=json", "--access-log", "--log-level=info", "--refusal-delay=0") as remote:
        ours = (await remote.get("/health", **{"X-Request-Id": "mine"})).headers["X-Request-Id"]
        made = (await remote.get("/health", **{"X-Request-Id": "not mine"})).headers["X-Request-Id"]
        refused = ""
        try:
            async with connect(remote.socket_url.replace("apikey", "nokey")):
                pass
        except InvalidStatus as error:
            refused = error.response.headers["X-Request-Id"]
        lines = [orjson.loads(line) for line in await remote.stop()]
    assert ours == "mine"
    assert made != "not mine"
    requests = [line for line in lines if line["logger"] == "reference_server.access"]
    assert [line["request_id"] for line in requests] == ["mine", made]
    assert [(line["method"], line["path"], line["status"]) for line in requests] == [("GET", "/health", 200)] * 2
    assert [line for line in lines if line["level"] in ("WARNING", "ERROR")] == []
    upgrade = [line for line in lines if "websocket" in line["message"] and line["logger"] == "uvicorn.error"]
    assert {line["request_id"] for line in upgrade} == {refused}
