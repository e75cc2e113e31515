"""A whole server in this process without a socket, or as a process of its own, and what a scrape of it says."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from reference_server.app import Parts, build_app, build_parts, running
from reference_server.settings import Settings

DEADLINE = 60.0


class Scrape(dict[tuple[str, tuple[tuple[str, str], ...]], float]):
    """The samples of one scrape: `scrape.value("http_requests_total", route="/health")`."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        for family in self.families.values():
            for sample in family.samples:
                self[sample.name, tuple(sorted(sample.labels.items()))] = sample.value

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name that have these labels; fails where there is none."""
        wanted = set(labels.items())
        found = [value for (known, given), value in self.items() if known == name and wanted <= set(given)]
        assert found, f"no sample {name} {labels}"
        return sum(found)

    def names(self) -> set[str]:
        return {name for name, _labels in self}


@dataclass
class Served:
    """A server in this process, and a client of it."""

    parts: Parts
    client: Any

    async def scrape(self) -> Scrape:
        answer = await self.client.call("GET", "/metrics")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain")
        return Scrape(answer.body.decode())

    async def sign_up(self) -> tuple[UUID, str]:
        """A new user and his token."""
        session = (await self.client.call("POST", "/auth/v1/signup", {})).json
        return UUID(session["user"]["id"]), session["access_token"]

    async def join(self, token: str) -> Any:
        return await self.client.call("POST", "/api/matching/join", {"matchMode": "global"}, token=token)

    async def execute(self, statement: str, *args: object) -> None:
        async with self.parts.database.connection() as connection:
            await connection.execute(statement, *args)

    async def blocked(self) -> None:
        """Waits until a statement on this database waits for a lock."""
        query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        async with asyncio.timeout(DEADLINE), self.parts.database.connection() as connection:
            while not await connection.fetchval(query):
                pass


@pytest.fixture
def serving(database_url: str, client_for: Any) -> Callable[..., AbstractAsyncContextManager[Served]]:
    """Serves with these settings: `async with serving(engine="documented") as served`."""

    @asynccontextmanager
    async def serve(**settings: Any) -> AsyncIterator[Served]:
        parts = await build_parts(Settings(database_url=database_url, **{"database_pool": 4, **settings}))
        async with running(parts):
            client = client_for([])
            client.app = build_app(parts)
            yield Served(parts, client)

    return serve


@dataclass
class Remote:
    """A server as a process of its own."""

    process: Process
    ready: dict[str, Any]

    @property
    def socket_url(self) -> str:
        address = self.ready["supabase_url"].replace("http", "ws", 1)
        return f"{address}/realtime/v1/websocket?apikey={self.ready['anon_key']}&vsn=1.0.0"

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        """Asks on a connection of its own, so that any worker may answer."""
        connector = aiohttp.TCPConnector(force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(self.ready["url"] + path, headers=headers) as answer,
        ):
            await answer.read()
            return answer

    async def scrape(self) -> Scrape:
        return Scrape(await (await self.get("/metrics")).text())

    async def scrape_until(self, holds: Callable[[Scrape], bool]) -> Scrape:
        """Scrapes until it holds."""
        async with asyncio.timeout(DEADLINE):
            while not holds(scrape := await self.scrape()):
                pass
        return scrape

    async def stop(self) -> list[str]:
        """Ends the server; what it wrote to standard error, by lines."""
        self.process.terminate()
        _, err = await asyncio.wait_for(self.process.communicate(), DEADLINE)
        assert self.process.returncode == 0
        return err.decode().splitlines()


@pytest.fixture
def started(database_url: str, tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Remote]]:
    """Starts a server with these flags; its temporary files go to `tmp_path`."""

    @asynccontextmanager
    async def start(*flags: str) -> AsyncIterator[Remote]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "reference_server", "--database-url", database_url, "--database-pool", "3", *flags,
            stdout=PIPE, stderr=PIPE, env={**os.environ, "TMPDIR": str(tmp_path)},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), DEADLINE)
            assert line, (await process.communicate())[1].decode()
            yield Remote(process, orjson.loads(line))
        finally:
            if process.returncode is None:
                process.terminate()
                await asyncio.wait_for(process.communicate(), DEADLINE)

    return start
