"""The hardened engine where writers meet: leave, end, psql, REST and other instances, against a real PostgreSQL."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from reference_server.auth import Claims
from reference_server.db import DatabaseError
from reference_server.jobs.schedule import Schedule
from reference_server.limits.join_limit import TooManyJoins
from reference_server.matchmaking import batching
from reference_server.matchmaking.engine import NotQueued
from reference_server.rest.errors import of_database
from tests.reference_server.matchmaking.conftest import DEADLINE, pair

BURSTS = 20
JOIN_BY_SQL = "select * from gurukul.match_waiting(array[$1::uuid], array['global'], array[null::uuid], '{}', '{}')"


def claims_of(user: UUID) -> Claims:
    """What a token of this user says."""
    return Claims("authenticated", user, 0.0, {"sub": str(user), "role": "authenticated"})


async def as_client(place, user: UUID, query: str, *args: object):
    """The first row of what a client asks over REST, with his own rights."""
    async with place.database.as_caller(claims_of(user)) as connection:
        return await connection.fetchrow(query, *args)


async def hindered(place) -> None:
    """Waits until a join has been put off because somebody writes its user's session."""
    async with asyncio.timeout(DEADLINE):
        while not any(join.hindered for join in place.engine._joins._gathering.values()):
            await place.value("select 1")


# ---------------------------------------------------------------- what a join answers


async def test_a_join_that_finds_a_partner_says_so(hardened):
    """The comer is told session, partner and offerer; he is user1 and offers, as the document's caller does."""
    waiter, comer = await hardened.users(2)
    assert await hardened.engine.join(waiter, "global") is None
    match = await hardened.engine.join(comer, "global")
    assert (match.partner_id, match.offerer_id) == (waiter, comer)
    row = "select user1_id = $2 and user2_id = $3 and offerer_id = $2 from public.chat_sessions where id = $1"
    assert await hardened.value(row, match.session_id, comer, waiter)


async def test_both_of_one_batch_are_told_the_same(hardened):
    """Two who join at once are paired with each other, with one offerer between them."""
    one, other = await hardened.users(2)
    first, second = await asyncio.gather(*(hardened.engine.join(user, "global") for user in (one, other)))
    told = second if first is None else first
    assert {told.partner_id, told.offerer_id} <= {one, other}
    if first and second:
        assert (first.session_id, first.offerer_id) == (second.session_id, second.offerer_id)


async def test_bursts_of_two_instances_leave_nobody_over(hardened, engine_at_work):
    """20 bursts of 32 joins over two instances at once: all matched, nobody twice."""
    async with engine_at_work("hardened", keep=True) as second:
        for _ in range(BURSTS):
            users = await hardened.users(32)
            await asyncio.gather(hardened.burst(users[::2]), second.burst(users[1::2]))
            assert await hardened.doubled() == 0
            assert await hardened.waiting() == []
        matched = "select count(*) from gurukul.session_members"
        assert await hardened.value(matched) == 32 * BURSTS


async def test_buddies_of_one_batch_find_each_other(hardened):
    """In a crowd that joins at once, those who asked for buddies and have one there get one."""
    users = await hardened.users(12)
    for one, other in ((0, 11), (1, 10), (2, 9)):
        await hardened.befriend(users[one], users[other])
    await hardened.burst(users, "buddies_first")
    partners = [await hardened.partner(user) for user in users]
    assert [users.index(partner) for partner in partners[:3]] == [11, 10, 9]
    assert None not in partners


# ---------------------------------------------------------------- rejoining


async def test_a_join_beside_ones_own_keeps_its_match(hardened):
    """A join that comes while another of the same user is with the database ends nothing: both get the one match."""
    waiter, comer = await hardened.users(2)
    await hardened.engine.join(waiter, "global")
    async with hardened.database.transaction() as matcher:
        await matcher.execute("select gurukul.lock_matching()")
        first = asyncio.create_task(hardened.engine.join(comer, "global"))
        await hardened.blocked()
        second = asyncio.create_task(hardened.engine.join(comer, "global"))
        await asyncio.sleep(0)
    assert await first == await second
    assert await hardened.value("select count(*) from public.chat_sessions") == 1


async def test_a_rejoin_tells_the_partner(hardened):
    """The session that a join ends is told to the partner by a signal too, for clients that watch messages alone."""
    waiter, comer = await pair(hardened)
    await hardened.engine.join(comer, "global")
    content = "select content::jsonb from public.messages where sender_id = $1"
    assert await hardened.value(content, comer) == '{"type": "call-ended"}'
    assert await hardened.active(waiter) == []


async def test_a_client_who_holds_a_session_holds_up_nobody_else(hardened, monkeypatch):
    """While one's session is being written, for however long, others join and are matched; he is, when that is over."""
    monkeypatch.setattr(batching, "HINDERED_PATIENCE", 60.0)
    _, comer = await pair(hardened)
    one, other = await hardened.users(2)
    async with hardened.database.transaction() as slow:
        await slow.execute("update public.chat_sessions set started_at = started_at")
        joins = [asyncio.create_task(hardened.engine.join(comer, "global"))]
        await hindered(hardened)
        assert await hardened.engine.join(one, "global") is None
        joins.append(asyncio.create_task(hardened.engine.join(comer, "global")))
        assert (await hardened.engine.join(other, "global")).partner_id == one
        await hardened.engine.sweep()
        assert not any(join.done() for join in joins)
    assert await asyncio.gather(*joins) == [None, None]
    assert await hardened.waiting() == [comer]


async def test_a_join_that_is_hindered_for_too_long_is_given_up(hardened, monkeypatch):
    """Nothing has happened to him then: his session stands, and he can join again."""
    monkeypatch.setattr(batching, "HINDERED_PATIENCE", 0.0)
    waiter, comer = await pair(hardened)
    async with hardened.database.transaction() as slow:
        await slow.execute("update public.chat_sessions set started_at = started_at")
        with pytest.raises(NotQueued):
            await hardened.engine.join(comer, "global")
    assert await hardened.partner(comer) == waiter
    assert await hardened.engine.join(comer, "global") is None


async def test_a_vanished_user_whose_session_is_held_is_settled_later(hardened):
    """Whoever holds the row holds up the tracker for a moment only; it asks again."""
    waiter, comer = await pair(hardened)
    async with hardened.database.transaction() as slow:
        await slow.execute("update public.chat_sessions set started_at = started_at")
        with pytest.raises(DatabaseError) as refused:
            await hardened.engine.vanished(comer)
        assert refused.value.sqlstate == "55P03"
    await hardened.engine.vanished(comer)
    assert await hardened.active(waiter) == []


FIND_MATCH = "select * from public.find_match($1, 'global')"
ENTER = "insert into public.waiting_queue (user_id) values ($1)"


@pytest.mark.parametrize("way", [FIND_MATCH, ENTER])
async def test_no_way_of_joining_is_without_the_limit(engine_at_work, way):
    """Over REST a client joins as often as by the route, which counts the same joins; the server has no limit."""
    async with engine_at_work("hardened", join_rate_limit=3) as place:
        (user,) = await place.users(1)
        await place.engine.join(user, "global")
        for _ in range(2):
            await place.engine.leave(user)
            await as_client(place, user, way, user)
        await place.engine.leave(user)
        with pytest.raises(DatabaseError) as refused:
            await as_client(place, user, way, user)
        error = of_database(refused.value, "authenticated")
        assert (error.status, error.code, error.message) == (429, "PT429", "Too many attempts. Please wait.")
        assert 1 <= int(error.headers["Retry-After"]) <= 60
        assert await place.waiting() == []
        with pytest.raises(TooManyJoins):
            await place.engine.join(user, "global")
        await place.execute(way, user)
        assert await place.waiting() == [user]


async def test_an_end_under_way_and_a_join_agree(hardened):
    """A join that meets the end of its user's session waits for it, and ends it no second time."""
    waiter, comer = await pair(hardened)
    async with hardened.database.transaction() as rest:
        await rest.execute("update public.chat_sessions set status = 'ended', ended_by = $1", waiter)
        join = asyncio.create_task(hardened.engine.join(comer, "global"))
        await hindered(hardened)
    assert await join is None
    assert await hardened.value("select ended_by from public.chat_sessions") == waiter
    assert await hardened.waiting() == [comer]


async def test_a_join_then_an_end_keeps_the_first_end(hardened):
    """A PATCH that comes second changes neither time nor ender."""
    waiter, comer = await pair(hardened)
    await hardened.engine.join(comer, "global")
    before = await hardened.value("select ended_at from public.chat_sessions")
    patch = """update public.chat_sessions set status = 'ended', ended_at = now() + '1 h'::interval
               returning ended_by, ended_at"""
    row = await as_client(hardened, waiter, patch)
    assert (row["ended_by"], row["ended_at"]) == (comer, before)


# ---------------------------------------------------------------- leave and match


async def test_a_match_made_while_a_leave_waits_is_undone(hardened):
    """A leave that meets a match under way comes after it and ends it: who has left is in no session."""
    leaver, comer = await hardened.users(2)
    await hardened.engine.join(leaver, "global")
    async with hardened.database.transaction() as matcher:
        await matcher.execute("select gurukul.lock_matching()")
        await matcher.execute("select user_id from public.waiting_queue for update")
        leave = asyncio.create_task(hardened.engine.leave(leaver))
        await hardened.blocked()
        assert (await matcher.fetchrow(JOIN_BY_SQL, comer))["partner_id"] == leaver
    await leave
    assert await hardened.active(leaver) == await hardened.active(comer) == []
    assert await hardened.value("select ended_by from public.chat_sessions") == leaver


async def test_a_match_waits_for_a_leave_under_way(hardened):
    """A join that meets a leave under way waits for it and does not match the leaver."""
    leaver, comer = await hardened.users(2)
    await hardened.engine.join(leaver, "global")
    async with hardened.database.transaction() as rest:
        await rest.execute("delete from public.waiting_queue where user_id = $1", leaver)
        join = asyncio.create_task(hardened.engine.join(comer, "global"))
        await hardened.blocked()
    assert await join is None
    assert await hardened.waiting() == [comer]


async def test_a_leave_after_a_match_ends_nothing(hardened):
    """The queue row is all that a leave is about: a session that stands already goes on."""
    waiter, comer = await pair(hardened)
    await hardened.engine.leave(waiter)
    assert await hardened.partner(comer) == waiter


async def test_a_leave_comes_after_the_joins_before_it(hardened):
    """A leave that overtakes its user's join on the way waits for that join, and takes its entry away."""
    (user,) = await hardened.users(1)
    join = asyncio.create_task(hardened.engine.join(user, "global"))
    await asyncio.sleep(0)
    await hardened.engine.leave(user)
    await join
    assert await hardened.waiting() == []


async def test_leaves_and_joins_in_a_crowd(hardened):
    """Crowds in which every third leaves at once: who left does not wait, of those who stayed at most one does."""
    for _ in range(BURSTS):
        users = await hardened.users(18)
        await asyncio.gather(
            *(hardened.engine.join(user, "global") for user in users),
            *(hardened.engine.leave(user) for user in users[::3]),
        )
        assert not set(await hardened.waiting()) & set(users[::3])
        assert len(await hardened.waiting()) <= 1
        assert await hardened.doubled() == 0
        await hardened.execute("delete from auth.users")


# ---------------------------------------------------------------- who else writes


async def test_a_session_by_hand_under_way_is_respected(hardened):
    """A join waits for a psql that is booking the only waiter, and does not match him when it commits."""
    waiter, stranger, comer = await hardened.users(3)
    await hardened.engine.join(waiter, "global")
    async with hardened.database.transaction() as psql:
        await psql.execute("insert into public.chat_sessions (user1_id, user2_id) values ($1, $2)", waiter, stranger)
        join = asyncio.create_task(hardened.engine.join(comer, "global"))
        await hardened.blocked()
    assert await join is None
    assert await hardened.partner(waiter) == stranger
    assert await hardened.waiting() == [comer]


async def test_a_pass_that_somebody_else_spoils_is_repeated(hardened):
    """A psql that books a joining user at the same moment makes the pass fail once; the joins do not notice."""
    one, other, third = await hardened.users(3)
    async with hardened.database.transaction() as psql:
        await psql.execute("insert into public.chat_sessions (user1_id, user2_id) values ($1, $2)", one, third)
        joins = asyncio.gather(*(hardened.engine.join(user, "global") for user in (one, other)))
        await hardened.blocked()
    await joins
    assert await hardened.doubled() == 0
    assert await hardened.partner(one) == other


async def test_a_session_by_hand_that_is_taken_back_costs_nobody_his_match(hardened):
    """When the psql rolls back instead, the waiter is matched."""
    waiter, stranger, comer = await hardened.users(3)
    await hardened.engine.join(waiter, "global")
    with pytest.raises(RuntimeError):
        async with hardened.database.transaction() as psql:
            insert = "insert into public.chat_sessions (user1_id, user2_id) values ($1, $2)"
            await psql.execute(insert, waiter, stranger)
            join = asyncio.create_task(hardened.engine.join(comer, "global"))
            await hardened.blocked()
            raise RuntimeError
    assert (await join).partner_id == waiter


async def test_the_members_of_a_session_never_change(hardened):
    """An update of a member is refused; so is a client's attempt to make the session younger."""
    waiter, _ = await pair(hardened)
    (third,) = await hardened.users(1)
    with pytest.raises(DatabaseError, match="keeps its members"):
        await hardened.execute("update public.chat_sessions set user1_id = $1", third)
    started = await hardened.value("select started_at from public.chat_sessions")
    await as_client(hardened, waiter, "update public.chat_sessions set started_at = now() + '1 h'::interval")
    assert await hardened.value("select started_at from public.chat_sessions") == started


async def test_a_client_who_ends_is_the_ender(hardened):
    """A PATCH cannot put the end on the partner, and frees both."""
    waiter, comer = await pair(hardened)
    patch = "update public.chat_sessions set status = 'ended', ended_by = $1"
    await as_client(hardened, waiter, patch, comer)
    assert await hardened.value("select ended_by from public.chat_sessions") == waiter
    assert await hardened.value("select ended_at is not null from public.chat_sessions")
    assert await hardened.value("select count(*) from gurukul.session_members") == 0


@pytest.mark.parametrize("removal", ["delete from public.chat_sessions", "truncate public.chat_sessions cascade"])
async def test_sessions_that_are_removed_free_their_members(hardened, removal):
    """Whoever takes sessions out of the table, one or all: their members are booked no more."""
    await pair(hardened)
    await hardened.execute(removal)
    assert await hardened.value("select count(*) from gurukul.session_members") == 0


async def test_a_deleted_user_frees_his_partner(hardened):
    """Deleting an account deletes its session, and with it both bookings."""
    waiter, comer = await pair(hardened)
    await hardened.execute("delete from auth.users where id = $1", waiter)
    assert await hardened.value("select count(*) from gurukul.session_members") == 0
    await hardened.engine.join(comer, "global")
    assert await hardened.waiting() == [comer]


INSERT_BY_SQL = "insert into public.chat_sessions (user1_id, user2_id, status) values ($1, $2, $3)"


@pytest.mark.parametrize("status", ["active", "ended"])
async def test_every_member_has_an_account(hardened, status):
    """A session by hand with somebody who has no account is refused, whichever member he is and whatever its status."""
    (user,) = await hardened.users(1)
    for members in ((user, uuid4()), (uuid4(), user)):
        with pytest.raises(DatabaseError, match="has no account") as refused:
            await hardened.execute(INSERT_BY_SQL, *members, status)
        assert refused.value.sqlstate == "23503"
    assert await hardened.value("select count(*) from public.chat_sessions") == 0


async def test_an_account_keeps_its_id(hardened):
    """A new id would leave the account's sessions to nobody."""
    await pair(hardened)
    with pytest.raises(DatabaseError, match="keeps its id") as refused:
        await hardened.execute("update auth.users set id = gen_random_uuid()")
    assert refused.value.sqlstate == "23503"


async def test_accounts_that_are_truncated_take_their_sessions_along(hardened):
    """Without accounts there are no sessions, no bookings and no signals."""
    await pair(hardened)
    await hardened.execute("truncate auth.users cascade")
    for table in ("public.chat_sessions", "gurukul.session_members", "public.messages"):
        assert await hardened.value(f"select count(*) from {table}") == 0


async def test_an_account_is_deleted_after_the_session_that_is_being_made(hardened):
    """While a session with a member is being made, the member's deletion waits; then it takes the session along."""
    one, other = await hardened.users(2)
    async with hardened.database.transaction() as connection:
        await connection.execute(INSERT_BY_SQL, one, other, "active")
        deletion = asyncio.create_task(hardened.execute("delete from auth.users where id = $1", other))
        await hardened.blocked()
    await deletion
    assert await hardened.value("select count(*) from public.chat_sessions") == 0
    assert await hardened.value("select count(*) from gurukul.session_members") == 0


async def test_accounts_are_not_deleted_by_an_old_snapshot(hardened):
    """It would not show the sessions that have come since: the deletion is refused, and takes nothing."""
    await pair(hardened)
    with pytest.raises(DatabaseError, match="read committed"):
        async with hardened.database.transaction() as connection:
            await connection.execute("set transaction isolation level repeatable read")
            await connection.execute("delete from auth.users")
    assert await hardened.value("select count(*) from public.chat_sessions") == 1


async def test_a_client_can_move_neither_place_nor_life(hardened):
    """A client who writes his own queue row gets the server's times, and keeps his place."""
    (user,) = await hardened.users(1)
    insert = """insert into public.waiting_queue (user_id, joined_at, seen_at)
                values ($1, now() - '1 d'::interval, now() + '1 d'::interval)"""
    await as_client(hardened, user, insert, user)
    now = "select joined_at between now() - '1 min'::interval and now() and seen_at <= now() from public.waiting_queue"
    assert await hardened.value(now)
    await as_client(hardened, user, "update public.waiting_queue set joined_at = now() - '1 d'::interval")
    assert await hardened.value(now)


# ---------------------------------------------------------------- signs of life, and the sweep


async def test_signs_of_life_go_with_the_sweep(engine_at_work):
    """Without any join, a sweep writes the signs of life down; none of them is a statement of its own."""
    async with engine_at_work("hardened", queue_ttl=60) as place:
        (user,) = await place.users(1)
        await place.engine.join(user, "global")
        await place.age(user, 30)
        await place.engine.alive(user)
        fresh = "select seen_at > now() - '10 s'::interval from public.waiting_queue"
        assert not await place.value(fresh)
        await place.engine.sweep()
        assert await place.value(fresh)


async def test_a_sweep_pairs_what_clients_wrote_and_ends_old_sessions(hardened):
    """Two rows that came over REST are paired; a session over its maximum age ends, and frees its members."""
    waiter, _ = await pair(hardened)
    await hardened.execute("update public.chat_sessions set started_at = now() - '3 h'::interval")
    one, other = await hardened.users(2)
    for user in (one, other):
        await as_client(hardened, user, "insert into public.waiting_queue (user_id) values ($1)", user)
    await hardened.engine.sweep()
    assert await hardened.partner(one) == other
    assert await hardened.active(waiter) == []


async def test_the_jobs_sweep_and_forget(engine_at_work):
    """Run as jobs, a stale entry goes although nobody joins, and so does the count of joins that no longer matter."""
    async with engine_at_work("hardened", queue_ttl=0.05, join_rate_window=0.05) as place:
        (user,) = await place.users(1)
        await place.engine.join(user, "global")
        schedule = Schedule(place.database, place.engine.jobs())
        await schedule.start()
        async with asyncio.timeout(10):
            while await place.waiting() or await place.value("select count(*) from gurukul.recent_joins"):
                pass
        await schedule.stop()


async def test_who_comes_back_keeps_what_he_began(hardened):
    """A farewell that reaches the database late takes nothing that the user has begun since he was given up."""
    (user,) = await hardened.users(1)
    async with hardened.database.transaction() as matcher:
        await matcher.execute("select gurukul.lock_matching()")
        farewell = asyncio.create_task(hardened.engine.vanished(user))
        await hardened.blocked()
        await matcher.fetchrow(JOIN_BY_SQL, user)
    await farewell
    assert await hardened.waiting() == [user]


async def test_a_vanished_members_partner_gets_a_signal(hardened):
    """The partner is told by a call-ended message from the one who vanished."""
    _, comer = await pair(hardened)
    await hardened.engine.vanished(comer)
    assert await hardened.value("select sender_id from public.messages") == comer
    assert await hardened.value("select ended_by from public.chat_sessions") == comer


# ---------------------------------------------------------------- what clients call


FIND_MATCH = "select * from public.find_match($1, 'global')"


async def test_find_match_queues_then_pairs(hardened):
    """Called by clients, it does what the document prints: the first waits, the second is matched with him."""
    one, other = await hardened.users(2)
    assert tuple(await as_client(hardened, one, FIND_MATCH, one)) == (False, None, None, "Queued")
    row = await as_client(hardened, other, FIND_MATCH, other)
    assert (row["match_found"], row["partner_id"], row["message"]) == (True, one, "Match found")


async def test_find_match_of_a_matched_caller_tells_his_match(hardened):
    """It neither ends the session nor makes a second one."""
    waiter, comer = await pair(hardened)
    (session,) = await hardened.active(waiter)
    row = await as_client(hardened, waiter, FIND_MATCH, waiter)
    assert (row["session_id"], row["partner_id"]) == (session, comer)


@pytest.mark.parametrize("call", ["public.find_match($1)", "public.skip_partner($1, gen_random_uuid())"])
async def test_a_client_speaks_for_himself_alone(hardened, call):
    """Naming somebody else is refused with 42501, which REST answers as 403."""
    one, other = await hardened.users(2)
    with pytest.raises(DatabaseError) as refusal:
        await as_client(hardened, one, f"select {call}", other)
    assert refusal.value.sqlstate == "42501"


async def test_the_private_functions_are_out_of_a_clients_reach(hardened):
    """A client may not even look into the schema that holds them."""
    (user,) = await hardened.users(1)
    with pytest.raises(DatabaseError) as refusal:
        await as_client(hardened, user, "select gurukul.leave($1)", user)
    assert refusal.value.sqlstate == "42501"


async def test_skip_partner_ends_once(hardened):
    """True for the active session of the caller, false when it is over."""
    waiter, _ = await pair(hardened)
    (session,) = await hardened.active(waiter)
    skip = "select public.skip_partner($1, $2)"
    assert (await as_client(hardened, waiter, skip, waiter, session))[0] is True
    assert (await as_client(hardened, waiter, skip, waiter, session))[0] is False


async def test_cleanup_may_be_called_by_anybody(hardened):
    """It removes what the sweep would remove, and nothing else."""
    stale, fresh = await hardened.users(2)
    statement = "insert into public.waiting_queue (user_id, joined_at) values ($1, now() - make_interval(secs => $2))"
    await hardened.execute(statement, stale, hardened.settings.queue_ttl + 1)
    await hardened.execute(statement, fresh, 1)
    await as_client(hardened, fresh, "select public.cleanup_matchmaking()")
    assert await hardened.waiting() == [fresh]


@pytest.mark.parametrize("kind", ["offer", "answer", "ice-candidate", "ice-restart", "call-ended"])
async def test_every_kind_of_signal_is_a_message(hardened, kind):
    """A member may send it and his partner may read it; the server looks at no signal's content."""
    waiter, comer = await pair(hardened)
    session = (await hardened.active(waiter))[0]
    send = "insert into public.messages (session_id, sender_id, type, content) values ($1, $2, 'text', $3)"
    await as_client(hardened, comer, send, session, comer, f'{{"type":"{kind}"}}')
    read = await as_client(hardened, waiter, "select content::jsonb ->> 'type' from public.messages")
    assert read[0] == kind
