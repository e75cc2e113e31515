"""Members of whom no instance has ever seen a socket: their session ends when they show no life, and not before."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from reference_server.jobs.schedule import Schedule
from reference_server.sessions.live_sockets import LiveSockets
from tests.reference_server.matchmaking.conftest import DEADLINE, Place, pair

TTL = 60.0
ROUND = "select gurukul.end_silent_sessions()"
LEFT = """select extract(epoch from max(gone_at) - clock_timestamp())::float8 from gurukul.live_sockets
           where user_id = $1 and instance = gurukul.no_instance()"""


@pytest.fixture
async def sockets(hardened: Place) -> AsyncIterator[LiveSockets]:
    """An instance that tells the others of its sockets, and gives nobody a sign of life by itself."""
    made = LiveSockets(hardened.database, timeout=60.0, grace=0.2, patience=0.5)
    await made.start(lambda _users, _seconds: None)
    yield made
    await made.stop()


async def old_pair(place: Place, age: float) -> tuple[UUID, UUID]:
    """As `pair`, in a session that is so many seconds old."""
    members = await pair(place)
    await pass_by(place, age)
    return members


async def pass_by(place: Place, seconds: float) -> None:
    """Lets sessions and deadlines age, as an administrator would."""
    past = "make_interval(secs => $1)"
    await place.execute(f"update public.chat_sessions set started_at = started_at - {past}", seconds)
    await place.execute(f"update gurukul.live_sockets set gone_at = gone_at - {past}", seconds)


async def connected(sockets: LiveSockets, user: UUID) -> None:
    """The user has a socket at this instance, and the others know of it."""
    sockets.opened(user)
    assert await sockets.absences([user]) == {user: math.inf}


async def test_who_shows_no_life_for_the_ttl_has_vanished(hardened, sockets):
    """He is missed once the session is a quarter of it old; his partner, who is there, is told in his name."""
    waiter, comer = await old_pair(hardened, TTL / 4 + 1)
    await connected(sockets, comer)
    await hardened.execute(ROUND)
    assert TTL - DEADLINE < await hardened.value(LEFT, waiter) <= TTL
    await pass_by(hardened, TTL - DEADLINE)
    await hardened.execute(ROUND)
    assert await hardened.active(waiter) != []
    await pass_by(hardened, DEADLINE)
    await hardened.execute(ROUND)
    assert await hardened.active(waiter) == []
    assert await hardened.value("select ended_by from public.chat_sessions") == waiter
    told = "select content::text like '%call-ended%' from public.messages where sender_id = $1"
    assert await hardened.value(told, waiter)
    assert await hardened.engine.join(comer, "global") is None


async def test_a_sign_of_life_puts_it_off_by_the_whole_ttl(hardened, sockets):
    """Also at an instance that knows nothing else of him."""
    waiter, _ = await old_pair(hardened, TTL)
    await hardened.execute(ROUND)
    await pass_by(hardened, TTL - DEADLINE)
    sockets.seen(waiter)
    await sockets._write(beat=True)
    assert TTL - DEADLINE < await hardened.value(LEFT, waiter) <= TTL


async def test_both_may_be_silent(hardened):
    """Their session ends once."""
    waiter, comer = await old_pair(hardened, TTL)
    await hardened.execute(ROUND)
    await pass_by(hardened, TTL + 1)
    await hardened.execute(ROUND)
    assert await hardened.active(waiter) == await hardened.active(comer) == []
    assert await hardened.value("select count(*) from public.messages") == 1


async def test_nobody_is_missed_in_a_young_session(hardened):
    """Clients subscribe a moment after they have joined."""
    waiter, _ = await old_pair(hardened, TTL / 4 - DEADLINE)
    await hardened.execute(ROUND)
    assert await hardened.value(LEFT, waiter) is None


async def test_who_has_a_socket_is_not_missed(hardened, sockets):
    """His row of no instance goes when he opens one; the socket's end is then all that counts."""
    waiter, comer = await old_pair(hardened, TTL)
    await connected(sockets, comer)
    await hardened.execute(ROUND)
    assert await hardened.value(LEFT, comer) is None
    await connected(sockets, waiter)
    sockets.lost(waiter, 0.0)
    assert await sockets.absences([waiter]) == {waiter: 0.0}
    await hardened.execute(ROUND)
    assert await hardened.value(LEFT, waiter) is None


async def test_a_session_that_began_since_stays(hardened):
    """He was missed in one session, and has another partner now: what he did not do before does not count."""
    waiter, _ = await old_pair(hardened, TTL)
    await hardened.execute(ROUND)
    await hardened.execute("update public.chat_sessions set status = 'ended'")
    (other,) = await hardened.users(1)
    await hardened.engine.join(waiter, "global")
    await hardened.engine.join(other, "global")
    await hardened.execute("update gurukul.live_sockets set gone_at = now()")
    await hardened.execute(ROUND)
    assert await hardened.active(waiter) != []
    await hardened.execute("update public.chat_sessions set status = 'ended'")
    await hardened.execute(ROUND)
    assert await hardened.value(LEFT, waiter) is None


async def test_a_session_that_somebody_writes_waits_for_the_next_round(hardened):
    """The others end, and nobody waits for the one."""
    busy, _ = await pair(hardened)
    free, _ = await old_pair(hardened, TTL)
    await hardened.execute(ROUND)
    await pass_by(hardened, TTL + 1)
    async with hardened.database.transaction() as writer:
        await writer.execute("update public.chat_sessions set status = 'active' where $1 in (user1_id, user2_id)", busy)
        await hardened.execute(ROUND)
        assert await hardened.active(busy) != []
        assert await hardened.active(free) == []
    await hardened.execute(ROUND)
    assert await hardened.active(busy) == []


async def test_it_is_one_of_the_jobs(engine_at_work):
    """Nobody needs to ask for it."""
    async with engine_at_work("hardened", queue_ttl=0.1) as place:
        waiter, _ = await pair(place)
        schedule = Schedule(place.database, place.engine.jobs())
        await schedule.start()
        async with asyncio.timeout(DEADLINE):
            while await place.active(waiter):
                pass
        await schedule.stop()
