"""What is left after a crash: of the server in the middle of a burst of joins, and of PostgreSQL itself."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import company, until
from harness.client.dialect import NotAdmitted
from harness.client.participant import Participant
from harness.errors import Trouble
from harness.history.op import Op
from harness.lab.blocking import finished
from harness.lab.database import connected
from harness.lab.deployment import Deployment, deployment
from harness.lab.postgres import embedded_postgres

_HEAL = 15.0
_LISTENING = 10
_LOST = """
select count(*) from unnest($1::uuid[]) u
where not exists (select 1 from public.waiting_queue q where q.user_id = u)
  and not exists (select 1 from public.chat_sessions s where u in (s.user1_id, s.user2_id))
"""
_WAITING = "select count(*) from public.waiting_queue where user_id = any ($1::uuid[])"
_PEOPLE = "insert into auth.users (id, is_anonymous) select gen_random_uuid(), true from generate_series(1, $1)"
_QUEUED = "insert into public.waiting_queue (user_id) select id from auth.users"
_IN_QUEUE = "select count(*) from public.waiting_queue"


@dataclass(frozen=True)
class CrashFacts:
    """Users before and after."""

    joined: int
    """Joins that were answered with success before the server was killed, or after it was back."""
    lost: int
    """Of these, users who stand neither in the queue nor in a session."""
    side_by_side: int
    """Users who still waited side by side when the time to heal was over."""
    sockets: int
    sockets_back: int
    told_by_push: int
    """Members of a pair, matched after the crash, who were told of it on a socket that had been open before."""
    rows: int
    rows_after: int
    """Queue rows before and after PostgreSQL was killed."""


async def crashes(place: Place) -> CrashFacts:
    """Kills the server in a burst of joins, and PostgreSQL with a full queue."""
    ops: list[Op] = []
    count = place.size(60, 30)
    async with (
        place.deployed("crash") as deployed,
        company(deployed.target, count + _LISTENING, ops) as people,
        connected(deployed.database_url) as database,
    ):
        listening, joining = people[:_LISTENING], people[_LISTENING:]
        await asyncio.gather(*(person.subscribe_matches() for person in listening))
        joined = await _crashed_in_a_burst(deployed, joining)
        lost = int(await database.fetchval(_LOST, joined))

        async def matched() -> bool:
            return bool(await database.fetchval(_WAITING, joined) <= 1)

        healed = await until(matched, _HEAL / 2 if place.quick else _HEAL)
        waiting = 0 if healed else int(await database.fetchval(_WAITING, joined))
        back = await _back(ops, listening)
        await asyncio.gather(*(person.leave() for person in joining))
        told = await _told(*listening[:2])
    before, after = await _database_killed(place)
    return CrashFacts(len(joined), lost, waiting, len(listening), back, told, before, after)


async def _crashed_in_a_burst(deployed: Deployment, people: list[Participant]) -> list[str]:
    """All join at once; the server is killed when half of them are answered. Who was answered with success."""
    joined: list[str] = []
    half = asyncio.Event()

    async def join(person: Participant) -> None:
        if (await person.join(wait_out_limits=False)).ok:
            joined.append(person.user)
        if len(joined) >= len(people) // 2:
            half.set()

    async with asyncio.TaskGroup() as group:
        joins = [group.create_task(join(person)) for person in people]
        group.create_task(_set_when_done(joins, half))
        await half.wait()
        await deployed.server.crash()
    return joined


async def _set_when_done(tasks: list[asyncio.Task[None]], event: asyncio.Event) -> None:
    await asyncio.wait(tasks)
    event.set()


async def _back(ops: list[Op], people: list[Participant]) -> int:
    """How many of these users have an open socket again."""
    users = {person.user for person in people}

    async def all_back() -> bool:
        return users <= {op.user for op in ops if op.op == "back"}

    await until(all_back, _HEAL)
    return len(users & {op.user for op in ops if op.op == "back"})


async def _told(one: Participant, other: Participant) -> int:
    """Two of those who listened meet; how many of them are told by push, before any poll."""
    with suppress(Trouble, NotAdmitted):
        await one.join()
        await other.join()
    told = [await person.next_match(2.5) for person in (one, other)]
    return sum(session is not None for session in told)


async def _database_killed(place: Place) -> tuple[int, int]:
    """Queue rows before and after a process of PostgreSQL is killed, whereupon it restarts from its log."""
    manager = embedded_postgres(place.folder.logs / f"postgres-killed-{place.engine}.log")
    cluster = await finished(manager.__enter__)
    try:
        async with deployment(place.engine, cluster, place.log("killed")) as deployed:
            async with connected(deployed.database_url) as database:
                await database.execute(_PEOPLE, 50)
                await database.execute(_QUEUED)
                before = await database.fetchval(_IN_QUEUE)
                os.kill(await database.fetchval("select pg_backend_pid()"), signal.SIGKILL)
            return int(before), await _rows_after(deployed.database_url)
    finally:
        await finished(lambda: manager.__exit__(None, None, None))


async def _rows_after(url: str) -> int:
    rows: Any = None

    async def there() -> bool:
        nonlocal rows
        with suppress(Trouble):
            async with connected(url) as database:
                rows = await database.fetchval(_IN_QUEUE)
        return rows is not None

    if not await until(there, _HEAL):
        raise Trouble("PostgreSQL did not come back after it was killed")
    return int(rows)
