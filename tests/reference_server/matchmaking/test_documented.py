"""The documented engine does what the document prints: its faults too, each provoked on purpose."""

from __future__ import annotations

import asyncio
from uuid import UUID

LOCK = "select pg_advisory_xact_lock(hashtext('matchmaking_lock'))"
FIND_MATCH = "select * from public.find_match($1, $2)"


async def call(place, user: UUID, mode: str = "global"):
    """What `find_match` answers."""
    async with place.database.connection() as connection:
        return tuple(await connection.fetchrow(FIND_MATCH, user, mode))


async def test_find_match_queues_its_caller(documented):
    """With nobody waiting it puts the caller into the queue and says so."""
    (user,) = await documented.users(1)
    assert await call(documented, user) == (False, None, None, "Queued")
    assert await documented.waiting() == [user]


async def test_find_match_matches_with_the_caller_as_user1(documented):
    """As printed: the caller is user1, the one who waited user2."""
    waiter, caller = await documented.users(2)
    await call(documented, waiter)
    found, session, partner, message = await call(documented, caller)
    assert (found, partner, message) == (True, waiter, "Match found")
    assert await documented.value("select user1_id from public.chat_sessions where id = $1", session) == caller


async def test_find_match_does_not_wait_for_its_lock(documented):
    """While another holds the lock it answers 'System busy, retry' and does nothing."""
    (user,) = await documented.users(1)
    async with documented.database.transaction() as other:
        await other.execute(LOCK)
        assert await call(documented, user) == (False, None, None, "System busy, retry")
    assert await documented.waiting() == []


async def test_find_match_matches_a_matched_caller_again(documented):
    """A caller who has a session by now gets a second one: the double match of the printed SQL."""
    one, other, third = await documented.users(3)
    await call(documented, one)
    await call(documented, other)
    await call(documented, third)
    assert (await call(documented, one))[0]
    assert await documented.doubled() == 1


async def test_find_match_forgets_the_mode(documented):
    """The printed upsert names two columns: the mode becomes the column's default."""
    (user,) = await documented.users(1)
    await call(documented, user, "global")
    assert await documented.value("select match_mode from public.waiting_queue") == "buddies_first"


async def test_join_does_not_await_find_match(documented):
    """The route answers although the database keeps `find_match` waiting behind a table lock."""
    (user,) = await documented.users(1)
    async with documented.database.transaction() as other:
        await other.execute("lock table public.study_connections in access exclusive mode")
        async with asyncio.timeout(10):
            await documented.engine.join(user, "buddies_first")
            await documented.blocked()
    await documented.quiet()
    assert await documented.waiting() == [user]


async def test_skip_partner_ends_the_session(documented):
    """True once, then false; never for a stranger."""
    one, other, stranger = await documented.users(3)
    await call(documented, one)
    session = (await call(documented, other))[1]
    skip = "select public.skip_partner($1, $2)"
    assert [await documented.value(skip, user, session) for user in (stranger, one, other)] == [False, True, False]
    assert await documented.value("select ended_by from public.chat_sessions") == one


async def test_cleanup_removes_what_is_old(documented):
    """Entries over two and a half times the TTL go, those over the TTL stay; sessions over their age end."""
    old, older, one, other = await documented.users(4)
    statement = "insert into public.waiting_queue (user_id, joined_at) values ($1, now() - make_interval(secs => $2))"
    await documented.execute(statement, old, 2.4 * documented.settings.queue_ttl)
    await documented.execute(statement, older, 2.6 * documented.settings.queue_ttl)
    session = """insert into public.chat_sessions (user1_id, user2_id, started_at)
                 values ($1, $2, now() - make_interval(secs => $3))"""
    await documented.execute(session, one, other, documented.settings.session_max_age + 1)
    await documented.execute("select public.cleanup_matchmaking()")
    assert await documented.waiting() == [old]
    assert await documented.active(one) == []


async def test_a_failing_find_match_is_told_to_nobody(documented, caplog):
    """The join has answered; the failure is a line in the log."""
    (user,) = await documented.users(1)
    await documented.execute("alter function public.find_match(uuid, text) rename to mislaid")
    try:
        await documented.burst([user])
    finally:
        await documented.execute("alter function public.mislaid(uuid, text) rename to find_match")
    assert "nobody retries" in caplog.text
    assert await documented.waiting() == [user]
