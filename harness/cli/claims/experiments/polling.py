"""What polls come to: how often a waiting client asks, what the stack bears, and what one client can ask alone."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import company
from harness.client.participant import Participant
from harness.history.op import Op
from harness.lab.database import connected

_POLLERS = 16
REALISTIC_PER_S = 166
"""The upper figure of the document's “Actual QPS”."""
_SELECT = """
select id, user1_id, user2_id from public.chat_sessions
where (user1_id = $1 or user2_id = $1) and status = 'active' limit 1
"""


@dataclass(frozen=True)
class PollingFacts:
    """Polls per second of different kinds; latencies in milliseconds."""

    waiting: int
    seconds: float
    polls: int
    """Polls of those who waited so long."""
    sustained_per_s: float
    """Over REST, by some clients who ask as fast as they are answered."""
    sustained: int
    sql_per_s: float
    """The statement alone, on one connection."""
    realistic: int
    realistic_p99_ms: float
    realistic_failed: int
    one_client_per_s: float
    """One client with one request under way at a time."""

    @property
    def per_user_per_s(self) -> float:
        """Polls of one waiting client."""
        return self.polls / (self.waiting * self.seconds)


async def polling(place: Place) -> PollingFacts:
    """Lets users wait for nobody, and then poll at several paces."""
    ops: list[Op] = []
    seconds = float(place.size(12, 6)) + 0.5
    async with (
        place.deployed("polling") as deployed,
        company(deployed.target, place.size(60, 20), ops) as people,
    ):
        await asyncio.gather(*(person.next_match(seconds) for person in people))
        polls = sum(op.op == "poll" for op in ops)
        taken, failed = await _paced(people, REALISTIC_PER_S, place.size(4, 2))
        window = float(place.size(3, 1))
        crowd = await _as_fast_as_answered(people[:_POLLERS], window)
        alone = await _as_fast_as_answered(people[:1], window / 2)
        async with connected(deployed.database_url) as database:
            began, statements = time.perf_counter(), 0
            while time.perf_counter() - began < window / 2:
                await database.fetch(_SELECT, people[0].user)
                statements += 1
            sql = statements / (time.perf_counter() - began)
    return PollingFacts(
        waiting=len(people), seconds=seconds - 0.5, polls=polls, sustained_per_s=crowd / window, sustained=crowd,
        sql_per_s=sql, realistic=len(taken), realistic_p99_ms=1000 * statistics.quantiles(taken, n=100)[-1],
        realistic_failed=failed, one_client_per_s=alone / (window / 2),
    )  # fmt: skip


async def _paced(people: Sequence[Participant], per_s: float, seconds: int) -> tuple[list[float], int]:
    """Polls when they are due, whoever is still waiting for an answer; seconds from due to answered, and failures."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    taken: list[float] = []

    async def one(number: int) -> None:
        due = began + number / per_s
        await asyncio.sleep(due - loop.time())
        await people[number % len(people)].poll()
        taken.append(loop.time() - due)

    count = round(per_s * seconds)
    await asyncio.gather(*(one(number) for number in range(count)))
    return taken, count - len(taken)


async def _as_fast_as_answered(people: Sequence[Participant], seconds: float) -> int:
    """How many polls these users get answered, each asking again as soon as he knows."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    count = 0

    async def one(person: Participant) -> None:
        nonlocal count
        while loop.time() < end:
            await person.poll()
            count += 1

    await asyncio.gather(*(one(person) for person in people))
    return count
