"""Section 15's script: a hundred joins at once, by one user and by a hundred."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import company
from harness.client.participant import Participant
from harness.lab.database import connected

JOINS = 100
_CONNECTIONS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
_ENTRIES = "select count(*) from public.waiting_queue where user_id = $1"


@dataclass(frozen=True)
class BurstFacts:
    """How the joins were answered, by HTTP status (0: not at all)."""

    one_user: dict[int, int]
    many_users: dict[int, int]
    connections: int
    """Connections to the database at most, while they came."""
    entries: int
    """Queue rows of the one user when his joins were answered, before anybody else came."""

    @property
    def taken(self) -> int:
        """Joins of the one user that were taken."""
        return sum(count for status, count in self.one_user.items() if 200 <= status < 300)

    @property
    def others_taken(self) -> int:
        """Joins of the hundred users that were taken."""
        return sum(count for status, count in self.many_users.items() if 200 <= status < 300)


async def burst(place: Place) -> BurstFacts:
    """Sends both bursts through one deployment, and looks at its connections meanwhile."""
    async with (
        place.deployed("burst", plan="free") as deployed,
        company(deployed.target, JOINS + 1) as people,
        connected(deployed.database_url) as database,
        connected(deployed.database_url) as watched,
    ):
        peak = 0
        over = asyncio.Event()

        async def watch() -> None:
            nonlocal peak
            while not over.is_set():
                peak = max(peak, await watched.fetchval(_CONNECTIONS) - 1)  # `database` is ours

        watching = asyncio.create_task(watch())
        try:
            one = await _at_once([people[-1]] * JOINS)
            entries = await database.fetchval(_ENTRIES, people[-1].user)
            many = await _at_once(people[:JOINS])
        finally:
            over.set()
            await watching
    return BurstFacts(one, many, peak, entries)


async def _at_once(people: Sequence[Participant]) -> dict[int, int]:
    replies = await asyncio.gather(*(person.join(wait_out_limits=False) for person in people))
    return dict(sorted(Counter(reply.status for reply in replies).items()))
