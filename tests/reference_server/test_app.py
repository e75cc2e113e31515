"""The composition root: parts start in order, stop in reverse, and can be replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from reference_server.app import ENGINES, build_app, build_parts, running
from reference_server.db import Refused, Unavailable
from reference_server.settings import Settings


class Recorded:
    """A service that writes down when it is started and stopped."""

    def __init__(self, name: str, diary: list[str], fails: bool = False) -> None:
        self.name, self._diary, self._fails = name, diary, fails

    async def start(self) -> None:
        self._diary.append(f"start {self.name}")
        if self._fails:
            raise Refused(self.name, "cannot start")

    async def stop(self) -> None:
        self._diary.append(f"stop {self.name}")

    def routes(self) -> list[Any]:
        return []


def settings(url: str) -> Settings:
    return Settings(database_url=url, database_pool=2)


async def test_order_of_life(database_url: str) -> None:
    """Engine, liveness, Realtime start in this order and stop in reverse; the database closes last."""
    parts, diary = await build_parts(settings(database_url)), list[str]()
    parts = replace(
        parts,
        engine=Recorded("engine", diary),  # type: ignore[arg-type]
        liveness=Recorded("liveness", diary),  # type: ignore[arg-type]
        realtime=Recorded("realtime", diary),
    )
    async with running(parts):
        assert diary == ["start engine", "start liveness", "start realtime"]
    assert diary[3:] == ["stop realtime", "stop liveness", "stop engine"]
    with pytest.raises(Unavailable):
        async with parts.database.connection():
            pass


async def test_a_part_that_fails_takes_the_others_down(database_url: str) -> None:
    """When a part cannot start, those before it are stopped and the error comes through."""
    parts, diary = await build_parts(settings(database_url)), list[str]()
    parts = replace(
        parts,
        engine=Recorded("engine", diary),  # type: ignore[arg-type]
        liveness=Recorded("liveness", diary, fails=True),  # type: ignore[arg-type]
        realtime=Recorded("realtime", diary),
    )
    with pytest.raises(Refused, match="liveness"):
        async with running(parts):
            pass
    assert diary == ["start engine", "start liveness", "stop liveness", "stop engine"]


async def test_a_part_can_be_replaced(database_url: str, client_for: Any) -> None:
    """A list of routes that a caller adds is served."""
    parts = await build_parts(settings(database_url))

    async def hello(_request: object) -> PlainTextResponse:
        return PlainTextResponse("hello")

    parts.route_lists = [*parts.route_lists, lambda _parts: [Route("/hello", hello)]]
    async with running(parts):
        client = client_for([])
        client.app = build_app(parts)
        assert (await client.call("GET", "/hello")).body == b"hello"
        assert (await client.call("GET", "/ready")).json == {"status": "ready", "engine": "hardened"}
    assert (await client.call("GET", "/ready")).status == 503


async def test_no_database_named() -> None:
    """Without a database the remedy is named."""
    with pytest.raises(Refused, match="no database is named: give --database-url or set GURUKUL_DATABASE_URL"):
        await build_parts(Settings())


def test_engines_have_their_sql() -> None:
    """Each engine's SQL file is there."""
    assert ENGINES.keys() == {"documented", "hardened"}
    assert all("find_match" in entry.sql_text() for entry in ENGINES.values())
