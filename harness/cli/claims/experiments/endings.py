"""How sessions end: by age, because both have vanished, because a member searches again, by the batch clean-up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import Calls, calls_of, company, until
from harness.client.participant import Participant, SessionSeen
from harness.lab.database import connected

_MAX_AGE = 2.0
_PATIENCE = 8.0
"""Seconds in which a session may end by itself: four times its greatest age, and more than the disconnect budget."""
_STATUS = "select status from public.chat_sessions where id = $1"
_AGED = "update public.chat_sessions set started_at = now() - interval '2 hours 1 minute' where id = $1"
_HAS_CLEANUP = "select to_regprocedure('public.cleanup_matchmaking()') is not null"


@dataclass(frozen=True)
class EndingFacts:
    """Trials, and in how many of them the session was over."""

    trials: int
    ended_by_age: int
    ended_when_both_vanished: int
    ended_by_hand: int
    ended_by_next_join: int
    ended_by_cleanup: bool | None
    """A session of two hours and a minute, by cleanup_matchmaking(); None where there is no such function."""


async def endings(place: Place) -> EndingFacts:
    """Tries each way with a few pairs, in scaled time; the clean-up with the document's two hours."""
    trials = place.size(5, 2)
    async with (
        place.deployed("endings", time="scaled", join_rate_limit=0) as deployed,
        company(deployed.target, 6 * trials + 2) as people,
        connected(deployed.database_url) as database,
    ):
        room = _Room(calls_of(deployed), database)
        pairs = list(zip(people[::2], people[1::2], strict=True))
        vanished = [await room.vanished(*pair) for pair in pairs[:trials]]
        rejoined = [await room.rejoined(*pair) for pair in pairs[trials : 2 * trials]]
        by_hand = [await room.by_hand(*pair) for pair in pairs[2 * trials : 3 * trials]]
        cleaned = await room.cleaned(*pairs[-1])
        gone = await room.end_by_themselves(vanished)
    return EndingFacts(trials, await _by_age(place, trials), sum(gone), sum(by_hand), sum(rejoined), cleaned)


async def _by_age(place: Place, trials: int) -> int:
    """Sessions whose members stay, that end by themselves past the greatest age."""
    async with (
        place.deployed("age", time="scaled", session_max_age=_MAX_AGE) as deployed,
        company(deployed.target, 2 * trials) as people,
        connected(deployed.database_url) as database,
    ):
        room = _Room(calls_of(deployed), database)
        sessions = [await room.stay(one, other) for one, other in zip(people[::2], people[1::2], strict=True)]
        return sum(await room.end_by_themselves(sessions))


@dataclass
class _Room:
    """Where pairs meet, and their sessions are looked at."""

    calls: Calls
    database: Any

    async def stay(self, one: Participant, other: Participant) -> SessionSeen:
        """A pair with open sockets."""
        await one.subscribe_matches()
        await other.subscribe_matches()
        return await self.calls.meet(one, other)

    async def vanished(self, one: Participant, other: Participant) -> SessionSeen:
        """Both close their tabs; nobody ends the session."""
        session = await self.stay(one, other)
        await one.vanish("close")
        await other.vanish("close")
        return session

    async def rejoined(self, one: Participant, other: Participant) -> bool:
        """One of a pair searches again; whether their session is over."""
        session = await self.stay(one, other)
        await self.calls.join(one)
        over = await self.ends(session, 1.0)
        await one.leave()
        return over

    async def by_hand(self, one: Participant, other: Participant) -> bool:
        """One of a pair clicks End."""
        session = await self.stay(one, other)
        await one.end(session.id)
        return await self.ends(session, 1.0)

    async def cleaned(self, one: Participant, other: Participant) -> bool | None:
        """A session older than two hours, and the batch clean-up."""
        if not await self.database.fetchval(_HAS_CLEANUP):
            return None
        session = await self.stay(one, other)
        await self.database.execute(_AGED, session.id)
        await self.database.execute("select public.cleanup_matchmaking()")
        return await self.ends(session, 1.0)

    async def end_by_themselves(self, sessions: Sequence[SessionSeen]) -> list[bool]:
        """Which of these are over within the time in which they should be; waited for together."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        return [await self.ends(session, deadline - asyncio.get_running_loop().time()) for session in sessions]

    async def ends(self, session: SessionSeen, patience: float) -> bool:
        """Whether it is over within so many seconds."""

        async def over() -> bool:
            return bool(await self.database.fetchval(_STATUS, session.id) != "active")

        return await until(over, patience)
