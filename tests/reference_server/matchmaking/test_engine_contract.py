"""What every engine owes its users: one suite for all, and the strict list of what the documented one fails."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from reference_server.db import DatabaseError
from reference_server.matchmaking.engine import NoSuchUser

BURSTS = 8

DOCUMENTED_FAILURES = {
    "test_who_is_matched_meanwhile_is_not_matched_again": "find_match never looks at its caller again",
    "test_joins_during_another_match_leave_at_most_one_waiting": "'System busy' is told to nobody, and nothing retries",
    "test_joins_of_one_user_at_once_all_succeed": "two routes delete, then both insert: the second row is a duplicate",
    "test_a_second_join_keeps_the_place": "the route deletes the row and inserts it afresh",
    "test_a_sign_of_life_renews_an_entry": "the TTL counts from when the entry was made; no heartbeat (section 4)",
    "test_a_leave_holds_against_the_users_own_join": "the late find_match puts its caller back into the queue",
    "test_a_vanished_waiter_is_not_matched": "a closed tab leaves its entry until the TTL (section 8, scenario 2)",
    "test_a_vanished_members_session_ends": "the session is not ended in the database (section 8, scenario 1)",
    "test_the_schema_refuses_a_second_active_session": "the schema does not know that a user has one session",
    "test_the_schema_refuses_a_session_with_oneself": "the schema does not compare the two members",
    "test_an_ended_session_stays_ended": "any update may set the status back",
    "test_a_session_made_by_hand_takes_its_members_out_of_the_queue": "queue and sessions do not know of each other",
}
"""What the documented engine does not keep, each with its reason. Strict: one that passes is an error."""


@pytest.fixture(params=["documented", "hardened"])
async def place(request, engine_at_work):
    """Each engine in turn, at work on an empty database."""
    name = request.node.originalname
    if request.param == "documented" and name in DOCUMENTED_FAILURES:
        reason = DOCUMENTED_FAILURES[name]
        expected = (AssertionError, DatabaseError, pytest.fail.Exception)
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason, raises=expected))
    async with engine_at_work(request.param) as at_work:
        yield at_work


def test_every_expected_failure_is_a_test():
    """The list names no test that does not exist."""
    assert [name for name in DOCUMENTED_FAILURES if name not in globals()] == []


# ---------------------------------------------------------------- joining


async def test_two_who_join_become_a_session(place):
    """One session, active, of exactly these two, and nobody in the queue."""
    one, other = await place.users(2)
    await place.burst([one])
    await place.burst([other])
    assert await place.partner(one) == other
    assert await place.active(one) == await place.active(other)
    assert len(await place.active(one)) == 1
    assert await place.waiting() == []


async def test_a_lone_user_waits(place):
    """A join with nobody there leaves one queue entry and no session."""
    (user,) = await place.users(1)
    assert await place.engine.join(user, "global") is None
    await place.quiet()
    assert await place.waiting() == [user]
    assert await place.active(user) == []


async def test_a_user_without_an_account_cannot_join(place):
    """The join fails, and nobody else suffers from it."""
    one, other = await place.users(2)
    answers = await asyncio.gather(
        *(place.engine.join(user, "global") for user in (one, uuid4(), other)), return_exceptions=True
    )
    await place.quiet()
    assert isinstance(answers[1], NoSuchUser)
    assert not isinstance(answers[0], Exception)
    assert not isinstance(answers[2], Exception)


async def test_a_deleted_user_cannot_join(place):
    """Who was deleted while he waited is nowhere any more, and his next join is refused as that of a stranger."""
    gone, other = await place.users(2)
    await place.burst([gone])
    await place.execute("delete from auth.users where id = $1", gone)
    with pytest.raises(NoSuchUser, match=str(gone)):
        await place.engine.join(gone, "global")
    await place.burst([other])
    assert await place.waiting() == [other]


async def test_a_second_join_makes_no_second_entry(place):
    """A waiting user who joins again has one entry, and is not matched with himself."""
    (user,) = await place.users(1)
    await place.burst([user])
    await place.burst([user])
    assert await place.waiting() == [user]
    assert await place.active(user) == []


async def test_joins_of_one_user_at_once_all_succeed(place):
    """Eight joins at once are all answered, with one entry at most and never a session with himself."""
    for _ in range(BURSTS):
        (user,) = await place.users(1)
        await place.burst([user] * 8)
        assert await place.waiting() == [user]
        await place.engine.leave(user)


async def test_a_second_join_keeps_the_place(place):
    """A waiter who presses the button again stands where he stood."""
    (user,) = await place.users(1)
    place_in_queue = "select joined_at from public.waiting_queue where user_id = $1"
    await place.burst([user])
    before = await place.value(place_in_queue, user)
    await place.burst([user])
    assert await place.value(place_in_queue, user) == before


async def test_a_join_ends_the_users_own_session(place):
    """Who joins again leaves his session: it is ended, by him, and he waits; the partner is free."""
    one, other = await place.users(2)
    await place.burst([one])
    await place.burst([other])
    (session,) = await place.active(one)
    await place.burst([one])
    assert await place.active(one) == await place.active(other) == []
    assert await place.value("select ended_by from public.chat_sessions where id = $1", session) == one
    assert await place.value("select ended_at is not null from public.chat_sessions where id = $1", session)
    assert await place.waiting() == [one]


async def test_both_may_join_again_at_once_after_an_end(place):
    """An ended session (by PATCH) frees both members in the same moment."""
    one, other = await place.users(2)
    await place.burst([one])
    await place.burst([other])
    await place.execute("update public.chat_sessions set status = 'ended', ended_at = now()")
    await place.burst([one])
    await place.burst([other])
    assert await place.partner(one) == other
    assert await place.value("select count(*) from public.chat_sessions") == 2


# ---------------------------------------------------------------- several at once


async def test_who_is_matched_meanwhile_is_not_matched_again(place):
    """A user is taken by another's join while his own is still at work: he stays in that one session."""
    one, other, third = await place.users(3)
    late = asyncio.Event()
    await place.join_slowly(one, late)
    await place.engine.join(other, "global")
    await place.matched(one)
    await place.execute("insert into public.waiting_queue (user_id) values ($1)", third)
    late.set()
    await place.quiet()
    assert await place.doubled() == 0
    assert await place.partner(one) == other


async def test_joins_during_another_match_leave_at_most_one_waiting(place):
    """Two who join while somebody's find_match is at work are not left waiting side by side."""
    busy, one, other = await place.users(3)
    async with place.database.transaction() as at_work:
        await at_work.execute("select public.find_match($1, 'global')", busy)
        joins = asyncio.gather(place.engine.join(one, "global"), place.engine.join(other, "global"))
        if place.engine.name == "documented":
            await joins
            await place.quiet()
        else:
            await place.blocked()
    await joins
    await place.quiet()
    assert len(await place.waiting()) <= 1


# ---------------------------------------------------------------- leaving


async def test_a_user_who_has_left_is_not_matched(place):
    """After a leave the next joiner waits."""
    gone, comer = await place.users(2)
    await place.burst([gone])
    await place.engine.leave(gone)
    await place.burst([comer])
    assert await place.active(gone) == []
    assert await place.waiting() == [comer]


async def test_a_leave_of_somebody_who_does_not_wait_is_harmless(place):
    """It succeeds and changes nothing, in the middle of a session too."""
    one, other = await place.users(2)
    await place.engine.leave(one)
    await place.burst([one])
    await place.burst([other])
    await place.engine.leave(one)
    assert await place.partner(one) == other


async def test_a_leave_holds_against_the_users_own_join(place):
    """A join, then a leave: nothing of the join comes after the leave."""
    (user,) = await place.users(1)
    await place.engine.join(user, "global")
    await place.engine.leave(user)
    await place.quiet()
    assert await place.waiting() == []


async def test_an_entry_that_was_deleted_is_not_matched(place):
    """The client's cancel over REST deletes the row: the same as a leave."""
    gone, comer = await place.users(2)
    await place.burst([gone])
    await place.execute("delete from public.waiting_queue where user_id = $1", gone)
    await place.burst([comer])
    assert await place.waiting() == [comer]


# ---------------------------------------------------------------- time


async def test_a_stale_entry_is_removed_and_not_matched(place):
    """An entry older than the TTL is no partner any more."""
    ghost, comer = await place.users(2)
    await place.burst([ghost])
    await place.age(ghost, place.settings.queue_ttl + 1)
    await place.burst([comer])
    assert await place.active(ghost) == []
    assert await place.waiting() == [comer]


async def test_an_entry_within_its_ttl_is_matched(place):
    """An entry a little younger than the TTL is a partner."""
    old, comer = await place.users(2)
    await place.burst([old])
    await place.age(old, place.settings.queue_ttl - 10)
    await place.burst([comer])
    assert await place.partner(comer) == old


async def test_a_sign_of_life_renews_an_entry(place):
    """A waiter who shows life is not dropped, however long ago he joined."""
    patient, comer = await place.users(2)
    await place.burst([patient])
    await place.age(patient, place.settings.queue_ttl + 1)
    await place.engine.alive(patient)
    await place.burst([comer])
    assert await place.partner(comer) == patient


async def test_a_vanished_waiter_is_not_matched(place):
    """Who vanishes while he waits has no entry any more."""
    gone, comer = await place.users(2)
    await place.burst([gone])
    await place.engine.vanished(gone)
    await place.burst([comer])
    assert await place.waiting() == [comer]


async def test_a_vanished_members_session_ends(place):
    """The session ends, and the partner can be matched anew."""
    gone, left, comer = await place.users(3)
    await place.burst([gone])
    await place.burst([left])
    await place.engine.vanished(gone)
    assert await place.active(left) == []
    await place.burst([left])
    await place.burst([comer])
    assert await place.partner(left) == comer


# ---------------------------------------------------------------- whom with


async def test_the_oldest_waiter_comes_first(place):
    """With two waiting (one of whom came late into the table), the joiner gets the older."""
    older, younger, comer = await place.users(3)
    statement = "insert into public.waiting_queue (user_id, joined_at) values ($1, now() - make_interval(secs => $2))"
    await place.execute(statement, younger, 1)
    await place.execute(statement, older, 9)
    await place.burst([comer])
    assert older in {await place.partner(comer), await place.partner(younger)}


async def test_buddies_come_first(place):
    """With an older stranger and a younger buddy waiting, buddies_first takes the buddy."""
    stranger, buddy, comer = await place.users(3)
    await place.befriend(buddy, comer)
    await place.burst([stranger])
    statement = "insert into public.waiting_queue (user_id, joined_at) values ($1, now() + '1 s'::interval)"
    await place.execute(statement, buddy)
    await place.burst([comer], "buddies_first")
    assert await place.partner(comer) == buddy


async def test_without_a_buddy_the_mode_falls_back(place):
    """buddies_first with no buddy waiting takes the oldest waiter; a request that was not accepted makes no buddy."""
    stranger, comer = await place.users(2)
    statement = "insert into public.study_connections (requester_id, receiver_id, status) values ($1, $2, 'pending')"
    await place.execute(statement, comer, stranger)
    await place.burst([stranger])
    await place.burst([comer], "buddies_first")
    assert await place.partner(comer) == stranger


# ---------------------------------------------------------------- what the schema keeps


async def test_the_schema_refuses_a_second_active_session(place):
    """Not even psql can put a user into a second active session."""
    one, other, third = await place.users(3)
    await place.burst([one])
    await place.burst([other])
    with pytest.raises(DatabaseError) as refusal:
        await place.execute("insert into public.chat_sessions (user1_id, user2_id) values ($1, $2)", third, one)
    assert refusal.value.sqlstate == "23505"
    assert await place.active(third) == []


async def test_the_schema_refuses_a_session_with_oneself(place):
    """A session has two people."""
    (user,) = await place.users(1)
    with pytest.raises(DatabaseError) as refusal:
        await place.execute("insert into public.chat_sessions (user1_id, user2_id) values ($1, $1)", user)
    assert refusal.value.sqlstate == "23514"


async def test_an_ended_session_stays_ended(place):
    """No update brings it back."""
    one, other = await place.users(2)
    await place.burst([one])
    await place.burst([other])
    await place.execute("update public.chat_sessions set status = 'ended'")
    with pytest.raises(DatabaseError) as refusal:
        await place.execute("update public.chat_sessions set status = 'active'")
    assert refusal.value.sqlstate == "23514"


async def test_a_session_made_by_hand_takes_its_members_out_of_the_queue(place):
    """Who is put into a session does not wait any more."""
    one, other = await place.users(2)
    await place.burst([one])
    await place.execute("insert into public.chat_sessions (user1_id, user2_id) values ($1, $2)", other, one)
    assert await place.waiting() == []


# ---------------------------------------------------------------- the end


async def test_an_engine_can_be_stopped_twice(place):
    """The second stop does nothing."""
    await place.engine.stop()
    await place.engine.stop()
