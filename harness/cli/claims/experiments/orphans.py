"""Users who are gone: whether they are still matched, and who removes what they leave in the queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import Calls, calls_of, company, until
from harness.client.participant import Participant
from harness.lab.database import connected

STALE = 121.0
FRESH = 60.0
"""Seconds since a user joined who has closed his tab: just more than the document's two minutes, and less."""
_AGE = """
update public.waiting_queue set joined_at = joined_at - make_interval(secs => $2) where user_id = $1
"""
_ENTRY = "select joined_at from public.waiting_queue where user_id = $1"
_HAS_CLEANUP = "select to_regprocedure('public.cleanup_matchmaking()') is not null"
_QUEUE_TTL = 1.0
_GRACE, _NOTICING = 0.5, 2.0
"""Seconds that a closed socket may take to come back, and in which its loss is noticed by a server that looks."""
_WITHOUT_JOINS = 5.0
"""Seconds for which nobody comes; five times the time to live."""


@dataclass(frozen=True)
class OrphanFacts:
    """Trials, and in how many of them it was so."""

    trials: int
    matched_when_stale: int
    fresh_trials: int
    matched_when_fresh: int
    """Where the user's socket had been closed for longer than the disconnect grace."""
    rejoins: int
    single_entries: int
    """Second joins of a user that left one row, made anew."""
    swept_unasked: bool
    """Whether a stale entry goes while nobody joins."""
    cleanup_removes: bool | None
    """Whether cleanup_matchmaking() removes one of 10 minutes; None where there is no such function."""


async def orphans(place: Place) -> OrphanFacts:
    """Tries with the document's two minutes, by setting entries back; the unasked sweep in a second deployment."""
    trials, fresh_trials = place.size(20, 6), place.size(8, 3)
    async with (
        place.deployed("orphans", disconnect_grace=_GRACE) as deployed,
        company(deployed.target, 3 * trials + 2 * fresh_trials + 1) as people,
        connected(deployed.database_url) as database,
    ):
        calls, left = calls_of(deployed), iter(people)
        stale = [await _ghost(calls, database, next(left), next(left), STALE) for _ in range(trials)]
        fresh = [await _ghost(calls, database, next(left), next(left), FRESH) for _ in range(fresh_trials)]
        single = [await _rejoined(calls, database, next(left)) for _ in range(trials)]
        removes = await _cleaned(calls, database, next(left))
    return OrphanFacts(
        trials, sum(stale), fresh_trials, sum(fresh), trials, sum(single), await _swept_unasked(place), removes,
    )  # fmt: skip


async def _ghost(calls: Calls, database: Any, gone: Participant, comes: Participant, age: float) -> bool:
    """One joins and closes his tab, his entry so many seconds old; whether he is matched with who comes then.

    A server that notices closed sockets has had the time for it. A stale entry must be passed over at once; its user
    never had a socket, for whoever had one a moment ago has shown life since he joined.
    """
    await calls.join(gone)
    if age == FRESH:
        await gone.subscribe_matches()
        await gone.vanish("close")
    await database.execute(_AGE, gone.user, age)

    async def removed() -> bool:
        return not await database.fetch(_ENTRY, gone.user)

    if age == FRESH:
        await until(removed, _NOTICING)
    await calls.join(comes)
    session = await comes.poll()
    if session is not None:
        await comes.end(session.id)
    await comes.leave()
    await gone.leave()
    return session is not None


async def _rejoined(calls: Calls, database: Any, user: Participant) -> bool:
    """Joins twice; whether there is one row, younger than the first."""
    await calls.join(user)
    await database.execute(_AGE, user.user, FRESH)
    first = await database.fetch(_ENTRY, user.user)
    await calls.join(user)
    second = await database.fetch(_ENTRY, user.user)
    await user.leave()
    return len(first) == len(second) == 1 and second[0]["joined_at"] >= first[0]["joined_at"]


async def _cleaned(calls: Calls, database: Any, user: Participant) -> bool | None:
    if not await database.fetchval(_HAS_CLEANUP):
        return None
    await calls.join(user)
    await database.execute(_AGE, user.user, 600.0)
    await database.execute("select public.cleanup_matchmaking()")
    return not await database.fetch(_ENTRY, user.user)


async def _swept_unasked(place: Place) -> bool:
    async with (
        place.deployed("sweep", queue_ttl=_QUEUE_TTL) as deployed,
        company(deployed.target, 1) as people,
        connected(deployed.database_url) as database,
    ):
        await calls_of(deployed).join(people[0])

        async def gone() -> bool:
            return not await database.fetch(_ENTRY, people[0].user)

        return await until(gone, _WITHOUT_JOINS)
