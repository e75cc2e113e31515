"""The composition root: parts start in order, stop in reverse, and can be replaced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from reference_server.app import ENGINES, _pool_size, build_app, build_parts, running
from reference_server.auth.keys import made_key
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

    def measure(self, _told: Any) -> None: ...


def settings(url: str) -> Settings:
    return Settings(database_url=url, database_pool=2)


async def test_order_of_life(database_url: str) -> None:
    """Realtime, engine, liveness start in this order and stop in reverse: what the engine finishes at its end is still
    told. The database closes last."""
    parts, diary = await build_parts(settings(database_url)), list[str]()
    parts = replace(
        parts,
        engine=Recorded("engine", diary),  # type: ignore[arg-type]
        liveness=Recorded("liveness", diary),  # type: ignore[arg-type]
        realtime=Recorded("realtime", diary),
    )
    async with running(parts):
        assert diary == ["start realtime", "start engine", "start liveness"]
    assert diary[3:] == ["stop liveness", "stop engine", "stop realtime"]
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
    assert diary[:3] == ["start realtime", "start engine", "start liveness"]
    assert diary[3:] == ["stop liveness", "stop engine", "stop realtime"]


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


async def test_what_browsers_see(database_url: str, client_for: Any) -> None:
    """Answers of every part can be read by browsers; a wrong method is 405; TURN credentials are there for users."""
    parts = await build_parts(settings(database_url))
    async with running(parts):
        client = client_for([])
        client.app = build_app(parts)
        for path, status in (("/health", 200), ("/rest/v1/profiles", 200), ("/auth/v1/user", 401), ("/nothing", 404)):
            answer = await client.call("GET", path)
            assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, "*")
        wrong = await client.call("DELETE", "/health")
        assert (wrong.status, set(wrong.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})
        session = (await client.call("POST", "/auth/v1/signup", {})).json
        turn = await client.call("GET", "/api/turn/credentials", token=session["access_token"])
        assert turn.json["username"].endswith(session["user"]["id"])


@pytest.mark.parametrize(("name", "value"), [("turn_secret", ""), ("turn_uris", ""), ("engine", "documented")])
async def test_without_a_relay(database_url: str, client_for: Any, name: str, value: str) -> None:
    """Where there is no TURN server, as in the documented deployment, there are no credentials for it."""
    parts = await build_parts(settings(database_url).model_copy(update={name: value}))
    async with running(parts):
        client = client_for([])
        client.app = build_app(parts)
        token = (await client.call("POST", "/auth/v1/signup", {})).json["access_token"]
        assert (await client.call("GET", "/api/turn/credentials", token=token)).status == 404


async def test_keys_of_tokens(database_url: str, tmp_path: Path) -> None:
    """With ES256 the key is made from the secret, or read from a file; a file that holds none is refused by name."""
    elliptic = settings(database_url).model_copy(update={"jwt_algorithm": "ES256"})
    parts = await build_parts(elliptic)
    assert parts.signer.public_keys() == [made_key(elliptic.jwt_secret).public_jwk()]
    await parts.database.close()
    for file, text in ((tmp_path / "none.pem", None), (tmp_path / "bad.pem", "nonsense")):
        if text is not None:
            file.write_text(text)
        with pytest.raises(Refused, match=f"--jwt-key-file {file}"):
            await build_parts(elliptic.model_copy(update={"jwt_key_file": file}))


def test_addresses_of_the_relay_are_checked_at_start() -> None:
    """An address that no ICE agent would take is refused with the settings."""
    with pytest.raises(ValidationError, match="is no address of a TURN server"):
        Settings(turn_uris="relay.example:3478")


async def test_no_database_named() -> None:
    """Without a database the remedy is named."""
    with pytest.raises(Refused, match="no database is named: give --database-url or set GURUKUL_DATABASE_URL"):
        await build_parts(Settings())


def test_engines_have_their_sql() -> None:
    """Each engine's SQL file is there."""
    assert ENGINES.keys() == {"documented", "hardened"}
    assert all("find_match" in entry.sql_text() for entry in ENGINES.values())


@pytest.mark.parametrize(("workers", "pool"), [(1, 20), (2, 20), (3, 16), (12, 1)])
def test_the_workers_share_the_connections_of_the_plan(workers: int, pool: int) -> None:
    """60 for all of them together: a pool each, and four that a process has besides."""
    found = _pool_size(Settings(plan="free", workers=workers, database_pool=20))
    assert found == pool
    assert workers * (found + 4) <= 60


def test_more_workers_than_connections_are_refused() -> None:
    """The plan's ceiling holds; the message says how many there may be."""
    with pytest.raises(Refused, match="start 12 workers at most"):
        _pool_size(Settings(plan="free", workers=13))
