"""Joins over HTTP, 32 joiners at once: both engines, and a POST that does nothing, each by the same framework.

Both modes of the design document are measured: `buddies_first`, the default of its queue, among users who have five
friends each, and `global` among strangers.

Read `joins_per_s`, `correct_matches_per_s` and `cpu_us` (processor time of the server for one request) in the table's
extra columns (`--benchmark-columns=…` does not show them; `--benchmark-json=F` does, and they are printed at the end).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import psutil
import pytest
import uvloop

from reference_server.auth import TokenSigner
from reference_server.settings import LOCAL_JWT_SECRET

JOINERS = 32
NOOPS, JOINS = 8000, 6000
"""In one round. Both engines are offered as many joins: the documented one slows down as its queue grows."""
ROUNDS = 2
SERVER = Path(__file__).with_name("server_with_noop.py")
FRIENDS = (1, 7, 23, 51, 101)
"""How far apart in the list of users two of them are friends."""


class Joiner(asyncio.Protocol):
    """One connection that sends the next request as soon as the last is answered."""

    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._done = done
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._done.set_exception(AssertionError(self._answer))
            self._transport.close()
            return
        self._answer = b""
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
            return
        self._transport.close()
        if not self._done.done():
            self._done.set_result(None)


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0])


@dataclass
class Deployment:
    """A server with its database, and the tokens of users who have not joined yet."""

    engine: str
    port: int
    process: psutil.Process
    database_url: str
    mode: str
    tokens: list[str] = field(default_factory=list)

    def requests(self, path: str, count: int) -> list[bytes]:
        """As many requests, each by a user of his own who has shown his token once."""
        if path == "/noop":
            return [_request("POST", path, "none", self.body)] * count
        tokens = [self.tokens.pop() for _ in range(count)]
        uvloop.run(self.play([_request("POST", "/api/matching/leave", token) for token in tokens]))
        return [_request("POST", path, token, self.body) for token in tokens]

    @property
    def body(self) -> bytes:
        """What a join sends."""
        return orjson.dumps({"matchMode": self.mode})

    async def statement(self, query: str, *args: object) -> Any:
        connection = await asyncpg.connect(self.database_url)
        try:
            return await connection.fetchval(query, *args)
        finally:
            await connection.close()

    async def play(self, requests: list[bytes]) -> None:
        """Sends them over as many connections as there are joiners."""
        loop, todo = asyncio.get_running_loop(), iter(requests)
        done = [loop.create_future() for _ in range(JOINERS)]
        for future in done:
            await loop.create_connection(lambda future=future: Joiner(todo, future), "127.0.0.1", self.port)
        await asyncio.gather(*done)


def _request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _users(url: str, count: int) -> list[str]:
    """Makes accounts and signs their tokens, as the server does."""
    users = [uuid4() for _ in range(count)]
    connection = await asyncpg.connect(url)
    await connection.execute("insert into auth.users (id, is_anonymous) select unnest($1::uuid[]), true", users)
    await connection.execute("analyze auth.users")
    await connection.close()
    signer, now = TokenSigner(LOCAL_JWT_SECRET), int(time.time())
    claims = {"aud": "authenticated", "role": "authenticated", "iat": now, "exp": now + 3600, "is_anonymous": True}
    return [signer.sign({**claims, "sub": str(user), "session_id": str(uuid4())}) for user in users]


async def _befriend(url: str) -> None:
    """Makes each user the friend of some others."""
    connection = await asyncpg.connect(url)
    await connection.execute(_FRIENDSHIPS, FRIENDS)
    await connection.execute("analyze public.study_connections")
    await connection.close()


_FRIENDSHIPS = """
with u as (select id, row_number() over (order by id) n from auth.users)
insert into public.study_connections (requester_id, receiver_id, status)
select a.id, b.id, 'accepted' from u a cross join unnest($1::int[]) distance join u b on b.n = a.n + distance
"""


async def _database(postgres_url: str, name: str) -> str:
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"create database {name}")
    await connection.close()
    return postgres_url.replace("/postgres?", f"/{name}?")


SIDES = [(engine, mode) for mode in ("buddies_first", "global") for engine in ("hardened", "documented")]


@pytest.fixture(scope="module", params=SIDES, ids="-".join)
def deployment(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[Deployment]:
    """Each engine in turn, with users who are signed in."""
    engine, mode = request.param
    url = asyncio.run(_database(postgres_url, f"bench_{engine}_{mode}"))
    command = [sys.executable, str(SERVER), "--engine", engine, "--database-url", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            ready = orjson.loads(process.stdout.readline())
            port = int(ready["url"].rpartition(":")[2])
            made = Deployment(engine, port, psutil.Process(process.pid), url, mode)
            made.tokens = asyncio.run(_users(url, JOINS * (ROUNDS + 1)))
            if mode == "buddies_first":
                asyncio.run(_befriend(url))
            yield made
        finally:
            process.terminate()
            process.wait(20)


def measure(benchmark: Any, deployment: Deployment, path: str, count: int) -> float:
    """Rounds of so many requests; what one costs and how many go in a second stand with the result.

    Returns the seconds that all rounds took, the one before the first that counts included.
    """
    rounds: list[tuple[float, float]] = []

    def prepare() -> tuple[tuple[list[bytes]], dict[str, object]]:
        return (deployment.requests(path, count),), {}

    def play(requests: list[bytes]) -> None:
        cpu, start = sum(deployment.process.cpu_times()[:2]), time.perf_counter()
        uvloop.run(deployment.play(requests))
        rounds.append((time.perf_counter() - start, sum(deployment.process.cpu_times()[:2]) - cpu))

    benchmark.group = f"32 joiners at once over HTTP, {deployment.mode}"
    benchmark.pedantic(play, setup=prepare, rounds=ROUNDS, warmup_rounds=1)
    seconds, cpu = min(rounds[1:])
    benchmark.extra_info["requests_per_s"] = round(count / seconds)
    benchmark.extra_info["cpu_us"] = round(1e6 * cpu / count)
    return sum(seconds for seconds, _cpu in rounds)


_SESSIONS = """
with m as (select id, u from public.chat_sessions, unnest(array[user1_id, user2_id]) u where status = 'active'),
     twice as (select u from m group by u having count(*) > 1)
select count(*) from public.chat_sessions s where s.status = 'active'
   and not exists (select 1 from twice where u in (s.user1_id, s.user2_id))
"""


def test_noop(benchmark: Any, deployment: Deployment) -> None:
    """A POST that reads its body and answers: the framework's own pace in this deployment."""
    measure(benchmark, deployment, "/noop", NOOPS)


def test_joins(benchmark: Any, deployment: Deployment) -> None:
    """Joins, each by a user who has not joined before; every match that is right counts."""
    seconds = measure(benchmark, deployment, "/api/matching/join", JOINS)
    correct = asyncio.run(deployment.statement(_SESSIONS))
    benchmark.extra_info["correct_matches_per_s"] = round(correct / seconds, 1)
    if deployment.engine == "hardened":
        assert 2 * correct >= JOINS * (ROUNDS + 1) - 1
