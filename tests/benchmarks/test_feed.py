"""How long a commit takes to reach a subscribed socket, and how many messages a second pass: both engines.

Run alone: `pytest tests/benchmarks/test_feed.py`. The figures are in the table's extra columns (`--benchmark-json`).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect

from reference_server.auth import TokenSigner
from reference_server.settings import LOCAL_JWT_SECRET

SIGNER = TokenSigner(LOCAL_JWT_SECRET)
SOCKETS, CHANGES, RATE = 300, 2_000, 500
SESSIONS, MESSAGES = 50, 6_000


@dataclass
class Deliveries:
    """What was committed and what arrived, each with its time, and the contents by socket."""

    contents: dict[int, list[str]] = field(default_factory=dict)
    all_here: asyncio.Event = field(default_factory=asyncio.Event)
    expected: int = 0
    committed: dict[str, float] = field(default_factory=dict)
    early: dict[str, float] = field(default_factory=dict)

    def arrived(self, socket: int, record: dict[str, Any]) -> None:
        now, key = time.perf_counter(), record["id"]
        self.early[key] = now
        self.contents.setdefault(socket, []).append(record.get("content") or "")
        if len(self.early) == self.expected:
            self.all_here.set()

    def percentile(self, share: float) -> float:
        times = sorted(max(0.0, self.early[key] - at) * 1000 for key, at in self.committed.items())
        return round(times[int((len(times) - 1) * share)], 2)


@dataclass
class Server:
    """The server's process and a pool of connections of our own."""

    url: str
    key: str
    process: psutil.Process
    pool: Any

    def cpu(self) -> float:
        used = self.process.cpu_times()
        return float(used.user + used.system)


@asynccontextmanager
async def server(postgres_url: str, engine: str) -> AsyncIterator[Server]:
    """A server of its own process on a fresh database."""
    name = f"bench_{uuid4().hex}"
    owner = await asyncpg.connect(postgres_url)
    await owner.execute(f"create database {name}")
    url = postgres_url.replace("/postgres?", f"/{name}?")
    arguments = [sys.executable, "-m", "reference_server", "--database-url", url, "--engine", engine]
    child = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert child.stdout is not None
        ready = json.loads(await child.stdout.readline())
        async with asyncpg.create_pool(url, min_size=4, max_size=4) as pool:
            yield Server(ready["url"], ready["anon_key"], psutil.Process(child.pid), pool)
    finally:
        child.terminate()
        await child.wait()
        await owner.execute(f"drop database {name} with (force)")
        await owner.close()


async def subscribed(server: Server, user: UUID, *bindings: dict[str, str]) -> ClientConnection:
    """A socket whose database subscription is made."""
    url = f"{server.url.replace('http', 'ws', 1)}/realtime/v1/websocket?apikey={server.key}&vsn=2.0.0"
    socket = await connect(url, compression=None, ping_interval=None, max_queue=None)
    claims = {"sub": str(user), "role": "authenticated", "exp": time.time() + 3600}
    join = {"config": {"postgres_changes": list(bindings)}, "access_token": SIGNER.sign(claims)}
    await socket.send(orjson.dumps(["1", "1", f"realtime:{user}", "phx_join", join]).decode())
    await socket.recv()
    assert orjson.loads(await socket.recv())[4]["status"] == "ok"
    return socket


async def listen(number: int, socket: ClientConnection, deliveries: Deliveries) -> None:
    async for text in socket:
        frame = orjson.loads(text)
        if frame[3] == "postgres_changes":
            deliveries.arrived(number, frame[4]["data"]["record"])


def inserting(column: str) -> dict[str, str]:
    table, _, rest = column.partition(".")
    return {"event": "INSERT", "schema": "public", "table": table, "filter": rest}


async def make_users(server: Server, count: int) -> list[UUID]:
    users = [uuid4() for _ in range(count)]
    await server.pool.execute("insert into auth.users (id, is_anonymous) select unnest($1::uuid[]), true", users)
    return users


async def paced(total: int, rate: float, write: Any) -> None:
    """Calls `write(n)` for each n when it is due, four at a time."""
    began = time.perf_counter()

    async def writer(first: int) -> None:
        for number in range(first, total, 4):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            await write(number)

    await asyncio.gather(*(writer(first) for first in range(4)))


async def measure(server: Server, sockets: list[ClientConnection], total: int, rate: float, write: Any) -> Deliveries:
    """Writes at a rate and waits until everything has arrived."""
    deliveries = Deliveries(expected=total)
    readers = [asyncio.create_task(listen(*one, deliveries)) for one in enumerate(sockets)]

    async def noted(number: int) -> None:
        keys = await write(number)
        now = time.perf_counter()
        deliveries.committed.update(dict.fromkeys(keys, now))

    await paced(total, rate, noted)
    await asyncio.wait_for(deliveries.all_here.wait(), 60)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    await asyncio.gather(*(socket.close() for socket in sockets))
    return deliveries


async def changes_to_sockets(postgres_url: str, engine: str) -> dict[str, Any]:
    """New sessions at a rate; each concerns one of the sockets, with row-level security."""
    async with server(postgres_url, engine) as running:
        users = await make_users(running, SOCKETS)
        partners = await make_users(running, CHANGES)
        sockets = [
            await subscribed(running, user, *(inserting(f"chat_sessions.user{n}_id=eq.{user}") for n in (1, 2)))
            for user in users
        ]
        insert = """insert into chat_sessions (id, user1_id, user2_id, status, ended_at)
                    values ($1, $2, $3, 'ended', now())"""

        async def write(number: int) -> list[str]:
            key = uuid4()
            await running.pool.execute(insert, key, users[number % SOCKETS], partners[number])
            return [str(key)]

        before = running.cpu()
        found = await measure(running, sockets, CHANGES, RATE, write)
        return {
            "p50_ms": found.percentile(0.50),
            "p95_ms": found.percentile(0.95),
            "p99_ms": found.percentile(0.99),
            "server_cpu_us_per_delivery": round((running.cpu() - before) / CHANGES * 1e6),
            "sockets": SOCKETS,
            "changes_per_s": RATE,
        }


async def messages_to_partners(postgres_url: str, engine: str) -> dict[str, Any]:
    """Messages as fast as they can be written; every partner must have all of his, in order."""
    async with server(postgres_url, engine) as running:
        users = await make_users(running, 2 * SESSIONS)
        sessions = [uuid4() for _ in range(SESSIONS)]
        begin = """insert into chat_sessions (id, user1_id, user2_id)
                   select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])"""
        await running.pool.execute(begin, sessions, users[::2], users[1::2])
        pairs = zip(sessions, users[1::2], strict=True)
        sockets = [await subscribed(running, user, inserting(f"messages.session_id=eq.{one}")) for one, user in pairs]
        insert = """insert into messages (id, session_id, sender_id, content)
                    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[])"""

        async def write(number: int) -> list[str]:
            keys = [uuid4() for _ in range(SESSIONS)]
            await running.pool.execute(insert, keys, sessions, users[::2], [f"{number:06d}"] * SESSIONS)
            return [str(key) for key in keys]

        rounds = MESSAGES // SESSIONS
        began, before = time.perf_counter(), running.cpu()
        deliveries = Deliveries(expected=rounds * SESSIONS)
        readers = [asyncio.create_task(listen(*one, deliveries)) for one in enumerate(sockets)]
        for number in range(rounds):
            await write(number)
        await asyncio.wait_for(deliveries.all_here.wait(), 60)
        took = time.perf_counter() - began
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await asyncio.gather(*(socket.close() for socket in sockets))
        wanted = [f"{number:06d}" for number in range(rounds)]
        assert all(deliveries.contents[number] == wanted for number in range(SESSIONS)), "lost, or out of order"
        return {
            "messages_per_s": round(deliveries.expected / took),
            "server_cpu_us_per_delivery": round((running.cpu() - before) / deliveries.expected * 1e6),
        }


@pytest.fixture(params=["documented", "hardened"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("journey", [changes_to_sockets, messages_to_partners])
def test_the_feed(benchmark: Any, postgres_url: str, engine: str, journey: Any) -> None:
    """Nothing is lost and nothing out of order; the figures say how fast."""
    figures = benchmark.pedantic(lambda: asyncio.run(journey(postgres_url, engine)), rounds=1)
    benchmark.extra_info.update(figures, engine=engine)
    print(engine, journey.__name__, figures)  # noqa: T201 — shown with -s
