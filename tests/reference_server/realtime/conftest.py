"""A real server with Realtime alone, on a loopback port and a fresh database, and a client that speaks raw frames."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect

from reference_server.auth import TokenSigner, TokenVerifier, anon_key
from reference_server.db import Database
from reference_server.realtime import Realtime
from reference_server.settings import LOCAL_JWT_SECRET, Settings
from reference_server.web.protocol import BoundedHttp, WebSockets
from tests.conftest import fresh_database

PATIENCE = 5.0
"""Seconds after which a wait has failed."""
SIGNER = TokenSigner(LOCAL_JWT_SECRET)
FOREIGN = TokenSigner("another secret of at least 32 characters")
VERSIONS = ["1.0.0", "2.0.0"]


@dataclass
class Frame:
    """One frame from the server, whichever version it came in; `raw` is the decoded JSON itself."""

    topic: str
    event: str
    payload: Any
    ref: Any
    join_ref: Any
    raw: Any


@dataclass
class Client:
    """A raw client of the wire."""

    socket: ClientConnection
    version: str
    refs: int = 0

    async def send(self, topic: str, event: str, payload: Any, ref: Any = None, join_ref: Any = None) -> None:
        if self.version == "2.0.0":
            frame: Any = [join_ref, ref, topic, event, payload]
        else:
            frame = {"topic": topic, "event": event, "payload": payload, "ref": ref, "join_ref": join_ref}
        await self.socket.send(orjson.dumps(frame).decode())

    async def receive_raw(self) -> str | bytes:
        return await asyncio.wait_for(self.socket.recv(), PATIENCE)

    async def heartbeat(self) -> None:
        """A round trip after which everything that was sent before has been handled; nothing else may come."""
        await self.send("phoenix", "heartbeat", {}, "heartbeat")
        frame = await self.receive()
        assert (frame.topic, frame.ref) == ("phoenix", "heartbeat"), frame

    async def receive(self) -> Frame:
        raw = orjson.loads(await self.receive_raw())
        if isinstance(raw, list):
            join_ref, ref, topic, event, payload = raw
            return Frame(topic, event, payload, ref, join_ref, raw)
        return Frame(raw["topic"], raw["event"], raw["payload"], raw["ref"], None, raw)

    async def join(
        self, topic: str, *bindings: dict[str, Any], token: str | None = None, ref: str = "1", **config: Any
    ) -> Frame:
        """Sends the join as the official clients do; returns the reply."""
        payload: dict[str, Any] = {
            "config": {
                "broadcast": {"ack": False, "self": False},
                "presence": {"key": "", "enabled": False},
                "postgres_changes": list(bindings),
                "private": False,
                **config,
            }
        }
        if token is not None:
            payload["access_token"] = token
        await self.send(topic, "phx_join", payload, ref, ref)
        return await self.receive()

    async def subscribe(self, topic: str, *bindings: dict[str, Any], token: str | None = None) -> Frame:
        """Joins and waits until the database subscription is made; returns the join's reply."""
        reply = await self.join(topic, *bindings, token=token)
        assert reply.payload["status"] == "ok", reply
        ready = await self.receive()
        assert ready.event == "system", ready
        assert ready.payload["status"] == "ok", ready
        return reply


@dataclass
class Watch:
    """A Liveness that remembers what it was told."""

    opened: list[tuple[UUID, int]] = field(default_factory=list)
    closed: list[tuple[UUID, int]] = field(default_factory=list)
    signs: list[UUID] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def seen(self, user: UUID) -> None:
        self.signs.append(user)

    def socket_opened(self, user: UUID, socket: int) -> None:
        self.opened.append((user, socket))

    def socket_closed(self, user: UUID, socket: int) -> None:
        self.closed.append((user, socket))
        self.gone.set()


@dataclass
class Site:
    """A running server with what a test needs to act on it."""

    realtime: Realtime
    database: Database
    watch: Watch
    port: int
    settings: Settings

    @property
    def key(self) -> str:
        return anon_key(SIGNER)

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}/realtime/v1/api/broadcast"

    def url(self, version: str | None = "2.0.0", apikey: str | None = None) -> str:
        vsn = f"&vsn={version}" if version else ""
        return f"ws://127.0.0.1:{self.port}/realtime/v1/websocket?apikey={apikey or self.key}{vsn}"

    @asynccontextmanager
    async def client(self, version: str = "2.0.0", apikey: str | None = None) -> AsyncIterator[Client]:
        async with connect(self.url(version, apikey), compression=None, ping_interval=None) as opened:
            yield Client(opened, version)

    def token(self, user: UUID, lasts: float = 3600.0, role: str = "authenticated") -> str:
        return SIGNER.sign({"sub": str(user), "role": role, "exp": time.time() + lasts, "aud": "authenticated"})

    async def users(self, count: int) -> list[UUID]:
        made = [uuid4() for _ in range(count)]
        await self.execute("insert into auth.users (id, is_anonymous) select unnest($1::uuid[]), true", made)
        return made

    async def execute(self, statement: str, *args: Any) -> None:
        """Runs a statement with the owner's rights, as psql would."""
        async with self.database.connection() as connection:
            await connection.execute(statement, *args)

    async def session(self, one: UUID, other: UUID) -> UUID:
        """Inserts a chat session as psql would; returns its id."""
        made = uuid4()
        await self.execute("insert into chat_sessions (id, user1_id, user2_id) values ($1, $2, $3)", made, one, other)
        return made


def sessions_of(user: UUID, event: str = "INSERT", column: str = "user1_id") -> dict[str, Any]:
    """A binding on the sessions of a user."""
    return {"event": event, "schema": "public", "table": "chat_sessions", "filter": f"{column}=eq.{user}"}


async def changes(client: Client, count: int) -> list[Frame]:
    """The next frames, which must be changes."""
    frames = [await client.receive() for _ in range(count)]
    assert [frame.event for frame in frames] == ["postgres_changes"] * count, frames
    return frames


def record(frame: Frame) -> Any:
    return frame.payload["data"].get("record") or frame.payload["data"]["old_record"]


@asynccontextmanager
async def running_site(
    database: Database, settings: Settings, monotonic: Callable[[], float] = time.monotonic
) -> AsyncIterator[Site]:
    """Serves Realtime over uvicorn as the server does, until the block ends."""
    watch = Watch()
    realtime = Realtime(settings, database, TokenVerifier(SIGNER.verification_key()), watch, monotonic)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        Starlette(routes=realtime.routes()),
        http=BoundedHttp,
        ws=WebSockets,
        lifespan="off",
        log_config=None,
        ws_max_size=5_000_000,
        ws_ping_interval=settings.ping_interval,
        ws_ping_timeout=settings.ping_timeout,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await realtime.start()
    await server.startup(sockets=[listener])
    try:
        yield Site(realtime, database, watch, listener.getsockname()[1], settings)
    finally:
        await server.shutdown(sockets=[listener])
        await realtime.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """One database for a module: its tests make users of their own, and a subscription is told of later rows only."""
    async with fresh_database(postgres_url) as url:
        yield url


PROMPT = {"join_error_delay": 0, "refusal_delay": 0}
"""Settings with which a refusal is not held back."""


@pytest.fixture
def settings() -> Settings:
    return Settings(**PROMPT)


@pytest.fixture
async def site(installed: Database, settings: Settings) -> AsyncIterator[Site]:
    """Realtime on a fresh database, with this module's settings."""
    async with running_site(installed, settings) as running:
        yield running
