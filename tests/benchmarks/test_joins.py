"""Joins over HTTP, 32 joiners at once: both engines, and a POST that does nothing, each by the same framework.

Both modes of the design document are measured: `buddies_first`, the default of its queue, among users who have five
friends each, and `global` among strangers. Joins and POSTs that do nothing take turns on one server, which keeps to one
core; the joiners and PostgreSQL go where there is room.

Read the table's extra columns, which are also printed with `-s`: `joins_per_s` and `noops_per_s`, `share` (the median
of the turns, each beside its neighbour), the same by the server's processor time in all turns (`join_cpu_us`,
`noop_cpu_us`, `share_by_cpu`), and `correct_matches_per_s`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import psutil
import pytest

from reference_server.auth import TokenSigner
from reference_server.settings import LOCAL_JWT_SECRET
from tests.benchmarks.closed_loop import closed_loop
from tests.benchmarks.cores import cores_apart, kept_to
from tests.benchmarks.deployment import cpu_of

JOINERS = 32
NOOPS, JOINS = 2000, 1500
"""In one turn. Both engines are offered as many joins: the documented one slows down as its queue grows."""
TURNS = 8
"""Turns of each that count, and one more before them."""
SERVER = Path(__file__).with_name("server_with_noop.py")
FRIENDS = (1, 7, 23, 51, 101)
"""How far apart in the list of users two of them are friends."""


@dataclass(frozen=True)
class Turn:
    """So many requests, the seconds they took, and the server's processor time for them."""

    count: int
    seconds: float
    cpu: float

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return self.count / self.seconds


@dataclass
class Deployment:
    """A server with its database, and the tokens of users who have not joined yet."""

    engine: str
    port: int
    process: psutil.Process
    database_url: str
    mode: str
    tokens: list[str] = field(default_factory=list)

    def joins(self) -> list[bytes]:
        """The joins of a turn, each by a user of his own who has shown his token once."""
        tokens = [self.tokens.pop() for _ in range(JOINS)]
        self.play([_request("POST", "/api/matching/leave", token) for token in tokens])
        return [_request("POST", "/api/matching/join", token, self.body) for token in tokens]

    def noops(self) -> list[bytes]:
        """The POSTs of a turn that do nothing, as long as joins."""
        return [_request("POST", "/noop", self.tokens[0], self.body)] * NOOPS

    def timed(self, requests: list[bytes]) -> Turn:
        """Plays a turn."""
        cpu, start = cpu_of(self.process), time.perf_counter()
        self.play(requests)
        return Turn(len(requests), time.perf_counter() - start, cpu_of(self.process) - cpu)

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

    def play(self, requests: list[bytes]) -> None:
        """Sends them over as many connections as there are joiners."""
        closed_loop(self.port, requests, JOINERS)


def _request(method: str, path: str, token: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _users(url: str, count: int) -> list[str]:
    """Makes accounts and signs their tokens, as the server does."""
    users = [uuid4() for _ in range(count)]
    connection = await asyncpg.connect(url)
    await connection.execute("insert into auth.users (id, is_anonymous) select unnest($1::uuid[]), true", users)
    await connection.execute("vacuum analyze auth.users")  # as autovacuum would, in the middle of a turn
    await connection.close()
    signer, now = TokenSigner(LOCAL_JWT_SECRET), int(time.time())
    claims = {"aud": "authenticated", "role": "authenticated", "iat": now, "exp": now + 3600, "is_anonymous": True}
    return [signer.sign({**claims, "sub": str(user), "session_id": str(uuid4())}) for user in users]


async def _befriend(url: str) -> None:
    """Makes each user the friend of some others."""
    connection = await asyncpg.connect(url)
    await connection.execute(_FRIENDSHIPS, FRIENDS)
    await connection.execute("vacuum analyze public.study_connections")
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


@pytest.fixture(params=SIDES, ids="-".join)
def deployment(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[Deployment]:
    """Each engine in turn, with users who are signed in."""
    engine, mode = request.param
    url = asyncio.run(_database(postgres_url, f"bench_{engine}_{mode}"))
    command = [sys.executable, str(SERVER), "--engine", engine, "--database-url", url]
    with kept_to(cores_apart()[0]):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
    with process:
        try:
            assert process.stdout is not None
            ready = orjson.loads(process.stdout.readline())
            port = int(ready["url"].rpartition(":")[2])
            made = Deployment(engine, port, psutil.Process(process.pid), url, mode)
            made.tokens = asyncio.run(_users(url, JOINS * (TURNS + 1) + 1))
            if mode == "buddies_first":
                asyncio.run(_befriend(url))
            yield made
        finally:
            process.terminate()
            process.wait(20)


def in_turns(deployment: Deployment) -> tuple[list[Turn], list[Turn]]:
    """Turns of both, now one and now the other first; those before the first that counts are given, too."""
    noops, joins = list[Turn](), list[Turn]()
    for turn in range(TURNS + 1):
        requests = deployment.joins()
        if turn % 2:
            noops.append(deployment.timed(deployment.noops()))
        joins.append(deployment.timed(requests))
        if not turn % 2:
            noops.append(deployment.timed(deployment.noops()))
    return noops, joins


def figures(noops: list[Turn], joins: list[Turn]) -> dict[str, float]:
    """Medians of the turns and of their shares, each join beside its neighbour; and what one costs the server."""
    both = list(zip(noops[1:], joins[1:], strict=True))
    noop_us, join_us = cpu_us(noops[1:]), cpu_us(joins[1:])
    return {
        "noops_per_s": round(median(noop.per_s for noop, _ in both)),
        "joins_per_s": round(median(join.per_s for _, join in both)),
        "share": round(median(join.per_s / noop.per_s for noop, join in both), 3),
        "noop_cpu_us": round(noop_us, 1),
        "join_cpu_us": round(join_us, 1),
        "share_by_cpu": round(noop_us / join_us, 3),
    }


def cpu_us(turns: list[Turn]) -> float:
    """Microseconds of the server for one request."""
    return 1e6 * sum(turn.cpu for turn in turns) / sum(turn.count for turn in turns)


_SESSIONS = """
with m as (select id, u from public.chat_sessions, unnest(array[user1_id, user2_id]) u where status = 'active'),
     twice as (select u from m group by u having count(*) > 1)
select count(*) from public.chat_sessions s where s.status = 'active'
   and not exists (select 1 from twice where u in (s.user1_id, s.user2_id))
"""


def test_joins_beside_posts_that_do_nothing(benchmark: Any, deployment: Deployment) -> None:
    """Joins, each by a user who has not joined before; every match that is right counts."""
    benchmark.group = f"32 joiners at once over HTTP, {deployment.mode}"
    noops, joins = benchmark.pedantic(in_turns, (deployment,), rounds=1)
    correct = asyncio.run(deployment.statement(_SESSIONS))
    told = figures(noops, joins) | {"correct_matches_per_s": round(correct / sum(turn.seconds for turn in joins), 1)}
    benchmark.extra_info.update(told)
    print(deployment.engine, deployment.mode, told)  # noqa: T201 — shown with -s
    if deployment.engine == "hardened":
        assert 2 * correct >= sum(turn.count for turn in joins) - 1
