"""How long a commit takes to reach a subscribed socket, and how many messages a second pass: both engines.

Run alone: `pytest tests/benchmarks/test_feed.py`. The figures are in the table's extra columns (`--benchmark-json`).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from tests.benchmarks.deployment import Deployment, Socket, allow_files, deployed

SOCKETS, CHANGES, RATE = 1_000, 4_000, 500
SESSIONS, MESSAGES = 50, 20_000


@dataclass
class Deliveries:
    """What was committed and what arrived, each with its time, and the contents and ids by socket."""

    contents: dict[int, list[str]] = field(default_factory=dict)
    keys: dict[int, list[str]] = field(default_factory=dict)
    all_here: asyncio.Event = field(default_factory=asyncio.Event)
    expected: int = 0
    committed: dict[str, float] = field(default_factory=dict)
    early: dict[str, float] = field(default_factory=dict)

    def arrived(self, socket: int, record: dict[str, Any]) -> None:
        now, key = time.perf_counter(), record["id"]
        self.early[key] = now
        self.contents.setdefault(socket, []).append(record.get("content") or "")
        self.keys.setdefault(socket, []).append(key)
        if len(self.early) >= self.expected:
            self.all_here.set()

    def percentile(self, share: float) -> float:
        times = sorted(max(0.0, self.early[key] - at) * 1000 for key, at in self.committed.items())
        return round(times[int((len(times) - 1) * share)], 2)


async def subscribed(
    server: Deployment, number: int, user: UUID, deliveries: Deliveries, *bindings: dict[str, str]
) -> Socket:
    """A socket whose database subscription is made, and whose changes are noted."""

    def take(payload: bytes) -> None:
        frame = orjson.loads(payload)
        if frame[3] == "postgres_changes":
            deliveries.arrived(number, frame[4]["data"]["record"])

    socket = await server.open(take)
    await socket.join(str(user), user, *bindings)
    return socket


def inserting(column: str) -> dict[str, str]:
    table, _, rest = column.partition(".")
    return {"event": "INSERT", "schema": "public", "table": table, "filter": rest}


async def paced(total: int, rate: float, write: Any) -> None:
    """Calls `write(n)` for each n when it is due, four at a time."""
    began = time.perf_counter()

    async def writer(first: int) -> None:
        for number in range(first, total, 4):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            await write(number)

    await asyncio.gather(*(writer(first) for first in range(4)))


async def changes_to_sockets(postgres_url: str, engine: str) -> dict[str, Any]:
    """New sessions at a rate; each concerns one of the sockets, with row-level security."""
    async with deployed(postgres_url, engine) as running:
        users, partners = await running.users(SOCKETS), await running.users(CHANGES)
        found = Deliveries(expected=CHANGES)
        sockets = [
            await subscribed(
                running, n, user, found, *(inserting(f"chat_sessions.user{m}_id=eq.{user}") for m in (1, 2))
            )
            for n, user in enumerate(users)
        ]
        insert = """insert into chat_sessions (id, user1_id, user2_id, status, ended_at)
                    values ($1, $2, $3, 'ended', now())"""
        made: dict[int, list[str]] = {}

        async def write(number: int) -> None:
            key = uuid4()
            made.setdefault(number % SOCKETS, []).append(str(key))
            await running.pool.execute(insert, key, users[number % SOCKETS], partners[number])
            found.committed[str(key)] = time.perf_counter()

        before = running.cpu()
        await paced(CHANGES, RATE, write)
        await asyncio.wait_for(found.all_here.wait(), 20)
        cpu = running.cpu() - before
        for socket in sockets:
            socket.close()
        assert {n: sorted(keys) for n, keys in found.keys.items()} == {n: sorted(keys) for n, keys in made.items()}
        return {
            "p50_ms": found.percentile(0.50),
            "p95_ms": found.percentile(0.95),
            "p99_ms": found.percentile(0.99),
            "server_cpu_us_per_delivery": round(cpu / CHANGES * 1e6),
            "sockets": SOCKETS,
            "changes_per_s": RATE,
        }


async def messages_to_partners(postgres_url: str, engine: str) -> dict[str, Any]:
    """Messages as fast as they can be written; every partner must have all of his, in order."""
    async with deployed(postgres_url, engine) as running:
        users = await running.users(2 * SESSIONS)
        sessions = [uuid4() for _ in range(SESSIONS)]
        begin = """insert into chat_sessions (id, user1_id, user2_id)
                   select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])"""
        await running.pool.execute(begin, sessions, users[::2], users[1::2])
        rounds = MESSAGES // SESSIONS
        deliveries = Deliveries(expected=rounds * SESSIONS)
        sockets = [
            await subscribed(running, n, user, deliveries, inserting(f"messages.session_id=eq.{session}"))
            for n, (session, user) in enumerate(zip(sessions, users[1::2], strict=True))
        ]
        insert = """insert into messages (id, session_id, sender_id, content)
                    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[])"""
        began, before = time.perf_counter(), running.cpu()
        for number in range(rounds):
            keys = [uuid4() for _ in range(SESSIONS)]
            await running.pool.execute(insert, keys, sessions, users[::2], [f"{number:06d}"] * SESSIONS)
        await asyncio.wait_for(deliveries.all_here.wait(), 30)
        took, cpu = time.perf_counter() - began, running.cpu() - before
        for socket in sockets:
            socket.close()
        wanted = [f"{number:06d}" for number in range(rounds)]
        assert all(deliveries.contents[number] == wanted for number in range(SESSIONS)), "lost, or out of order"
        return {
            "messages_per_s": round(deliveries.expected / took),
            "server_cpu_us_per_delivery": round(cpu / deliveries.expected * 1e6),
        }


@pytest.fixture(params=["documented", "hardened"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("journey", [changes_to_sockets, messages_to_partners])
def test_the_feed(benchmark: Any, postgres_url: str, engine: str, journey: Any) -> None:
    """Nothing is lost and nothing out of order; the figures say how fast."""
    allow_files(2 * SOCKETS + 1_000)
    figures = benchmark.pedantic(lambda: asyncio.run(journey(postgres_url, engine)), rounds=1)
    benchmark.extra_info.update(figures, engine=engine)
    print(engine, journey.__name__, figures)  # noqa: T201 — shown with -s
