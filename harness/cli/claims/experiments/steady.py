"""Users who arrive at an even pace, two at once every now and then: whether anybody is matched twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import company, until
from harness.cli.claims.experiments.matching import WRONG, steady_queue
from harness.client.participant import Participant
from harness.lab.database import connected

_PER_S = 75.0
"""Arrivals per second, as in `gurukul bench`: slow enough that the queue stays short."""
_DOUBLED = """
with members as (select unnest(array[user1_id, user2_id]) as u from public.chat_sessions where status = 'active')
select count(*) from (select u from members group by u having count(*) > 1) twice
"""


@dataclass(frozen=True)
class SteadyFacts:
    """Users who joined once each, and what stood in the database afterwards."""

    users: int
    doubled: int
    """Users with two active sessions."""
    sessions: int
    wrong_sessions: int
    """Sessions of which a member is in another one, too."""


async def steady(place: Place) -> SteadyFacts:
    """Lets users come as a Poisson process, and looks when no match is made any more."""
    async with place.deployed("steady") as deployed, company(deployed.target, place.size(600, 200)) as people:
        await _arrive(people, random.Random(place.seed))
        async with connected(deployed.database_url) as database:
            await until(steady_queue(database), 10.0)
            sessions = await database.fetchval("select count(*) from public.chat_sessions")
            doubled, wrong = await database.fetchval(_DOUBLED), await database.fetchval(WRONG)
    return SteadyFacts(len(people), doubled, sessions, wrong)


async def _arrive(people: Sequence[Participant], chance: random.Random) -> None:
    """Each joins when he is due, however long the others' joins take."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    async with asyncio.TaskGroup() as group:
        for person in people:
            due += chance.expovariate(_PER_S)
            await asyncio.sleep(due - loop.time())
            group.create_task(_join(person))


async def _join(person: Participant) -> None:
    await person.join()
