"""A crowd that joins at once: how many matches a second, how many of them correct, and how long the lock is held."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import company, mean_ms, scraped, until
from harness.client.participant import Participant
from harness.lab.database import connected
from harness.lab.deployment import Deployment

JOINERS = 32
"""Joins under way at the same time."""
_TRIALS = 100
_SETTLED = 1.0

_SESSIONS = """
select count(*) as sessions, extract(epoch from max(started_at) - min(started_at))::float8 as seconds
from public.chat_sessions
"""
WRONG = """
with m as (select unnest(array[user1_id, user2_id]) as u from public.chat_sessions where status = 'active'),
     twice as (select u from m group by u having count(*) > 1)
select count(*) from public.chat_sessions s where exists (select 1 from twice where u in (s.user1_id, s.user2_id))
"""
_UNMATCHED = """
select count(*) from unnest($1::uuid[]) u
where not exists (select 1 from public.chat_sessions s where u in (s.user1_id, s.user2_id))
"""
_ENQUEUE = "insert into public.waiting_queue (user_id, joined_at) values ($1, now())"
_FIND_MATCH = "select match_found from public.find_match($1, 'global')"
STEPS = {
    "delete_stale": "delete from public.waiting_queue where joined_at < now() - interval '2 minutes'",
    "select_partner": (
        "select user_id from public.waiting_queue where user_id <> $1 order by joined_at limit 1 for update skip locked"
    ),
    "delete_matched": "delete from public.waiting_queue where user_id in ($1, $2)",
    "insert_session": "insert into public.chat_sessions (user1_id, user2_id, status) values ($1, $2, 'active')",
}
"""The statements that the document times, in its order."""


@dataclass(frozen=True)
class MatchingFacts:
    """What became of a crowd; times in milliseconds, None where the engine has no such thing."""

    users: int
    sessions: int
    wrong_sessions: int
    """Sessions of which a member is in another one, too."""
    unmatched_users: int
    seconds: float
    """From the first match to the last."""
    calls: int
    """Calls of find_match, or batches."""
    busy: int
    hold_ms: float
    """How long the lock of all matching is held for one call, or for one batch: median, or mean."""
    hold_p95_ms: float | None
    steps_ms: dict[str, float] | None
    pool_wait_ms: float
    find_match_ms: float
    join_cpu_ms: float
    """Processor time of the server for one join, and for the match that it led to."""

    @property
    def matches_per_s(self) -> float:
        """All matches."""
        return self.sessions / self.seconds if self.seconds else 0.0

    @property
    def correct_per_s(self) -> float:
        """Matches of which neither member is in another one."""
        return (self.sessions - self.wrong_sessions) / self.seconds if self.seconds else 0.0


async def matching(place: Place) -> MatchingFacts:
    """Lets a crowd join, and times the lock on the quiet database afterwards."""
    async with place.deployed("matching") as deployed, company(deployed.target, place.size(800, 200)) as people:
        server = psutil.Process(deployed.server.pid)
        before = _cpu(server)
        await _join_all(people)
        async with connected(deployed.database_url) as database:
            await until(steady_queue(database), 10.0)
            row = await database.fetchrow(_SESSIONS)
            users = [person.user for person in people]
            wrong = await database.fetchval(WRONG)
            unmatched = await database.fetchval(_UNMATCHED, users)
            cpu = (_cpu(server) - before) / len(people)
            metrics = await scraped(deployed.target.supabase_url)
            holds, steps = await _lock_times(deployed, database, users)
    batch = mean_ms(metrics, "matchmaking_batch_duration_seconds") - mean_ms(metrics, "matchmaking_lock_wait_seconds")
    return MatchingFacts(
        users=len(people), sessions=row["sessions"], wrong_sessions=wrong, unmatched_users=unmatched,
        seconds=row["seconds"] or 0.0,
        calls=int(
            metrics.get("matchmaking_find_match_duration_seconds_count", 0)
            + metrics.get("matchmaking_batch_duration_seconds_count", 0)
        ),
        busy=int(metrics.get("matchmaking_system_busy_total", 0)),
        hold_ms=statistics.median(holds) if holds else batch,
        hold_p95_ms=statistics.quantiles(holds, n=20)[-1] if holds else None,
        steps_ms=steps, pool_wait_ms=mean_ms(metrics, "database_pool_wait_seconds"),
        find_match_ms=mean_ms(metrics, "matchmaking_find_match_duration_seconds"), join_cpu_ms=1000 * cpu,
    )  # fmt: skip


async def _join_all(people: Sequence[Participant]) -> None:
    """Each joins once, `JOINERS` at a time."""
    coming = iter(people)

    async def joiner() -> None:
        for person in coming:
            await person.join()

    async with asyncio.TaskGroup() as group:
        for _ in range(JOINERS):
            group.create_task(joiner())


def steady_queue(database: Any) -> Callable[[], Awaitable[bool]]:
    """Whether no match has been made for a while."""
    seen = -1
    since = time.monotonic()

    async def look() -> bool:
        nonlocal seen, since
        now = (await database.fetchrow(_SESSIONS))["sessions"]
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since >= _SETTLED

    return look


async def _lock_times(
    deployed: Deployment, database: Any, users: Sequence[str]
) -> tuple[list[float], dict[str, float] | None]:
    """Milliseconds of a find_match that finds a partner, each from the call to its commit, and of its four statements.

    The lock is taken at the start of the function and let go of at the commit; the way to the database is taken off.
    """
    if deployed.target.name != "documented":
        return [], None
    await database.execute("delete from public.waiting_queue")
    one, other = users[:2]
    way = statistics.median([await _timed(database.fetchval, "select 1") for _ in range(_TRIALS)])
    holds: list[float] = []
    for _ in range(_TRIALS):
        await database.execute(_ENQUEUE, one)
        holds.append(await _timed(database.fetchval, _FIND_MATCH, other) - way)
    return holds, await _step_times(database, one, other, way)


async def _step_times(database: Any, one: str, other: str, way: float) -> dict[str, float]:
    """The medians of the four statements, each on a queue with a partner in it."""
    arguments = {"delete_stale": (), "select_partner": (other,)}
    taken: dict[str, list[float]] = {name: [] for name in STEPS}
    for _ in range(_TRIALS // 2):
        async with database.transaction():
            await database.execute(_ENQUEUE, one)
            for name, statement in STEPS.items():
                spent = await _timed(database.fetch, statement, *arguments.get(name, (one, other)))
                taken[name].append(max(0.0, spent - way))
    return {name: statistics.median(times) for name, times in taken.items()}


async def _timed(call: Callable[..., Awaitable[Any]], *arguments: Any) -> float:
    began = time.perf_counter()
    await call(*arguments)
    return 1000 * (time.perf_counter() - began)


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)
