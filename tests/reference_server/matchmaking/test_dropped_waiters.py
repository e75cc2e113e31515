"""A waiter who shows no life is dropped, and can learn it: by his status, or by the change of his own row."""

from __future__ import annotations

import pytest

from reference_server.matchmaking.engine import Status


async def state(place, user) -> str:
    return (await place.engine.status(user)).state


async def drop(place, user) -> None:
    """Lets a waiter grow stale and be swept."""
    await place.age(user, place.settings.queue_ttl + 1)
    await place.engine.sweep()


async def test_a_life_in_states(hardened):
    """Idle, waiting, matched with the match, idle again when the session is over."""
    one, other = await hardened.users(2)
    assert await hardened.engine.status(one) == Status("idle")
    await hardened.engine.join(one, "global")
    assert await hardened.engine.status(one) == Status("waiting")
    match = await hardened.engine.join(other, "global")
    mine = (await hardened.engine.status(one)).match
    assert (mine.session_id, mine.partner_id, mine.offerer_id) == (match.session_id, other, other)
    assert await hardened.engine.status(other) == Status("matched", match)
    await hardened.execute("update public.chat_sessions set status = 'ended'")
    assert [await state(hardened, user) for user in (one, other)] == ["idle", "idle"]


async def test_a_dropped_waiter_is_told(hardened):
    """A sweep that drops him and a join that passes him over both leave `expired` behind."""
    first, second, comer = await hardened.users(3)
    await hardened.engine.join(first, "global")
    await drop(hardened, first)
    assert await state(hardened, first) == "expired"
    await hardened.engine.join(second, "global")
    await hardened.age(second, hardened.settings.queue_ttl + 1)
    await hardened.engine.join(comer, "global")
    assert [await state(hardened, user) for user in (second, comer)] == ["expired", "waiting"]


@pytest.mark.parametrize(("then", "now"), [("join", "waiting"), ("leave", "idle")])
async def test_expired_is_over_with_the_next_call(hardened, then, now):
    """Who joins again waits, who leaves is idle: nothing reminds of the old entry."""
    (user,) = await hardened.users(1)
    await hardened.engine.join(user, "global")
    await drop(hardened, user)
    await (hardened.engine.join(user, "global") if then == "join" else hardened.engine.leave(user))
    assert await state(hardened, user) == now


async def test_a_waiter_with_signs_of_life_is_not_dropped(hardened):
    """Signs that are still in memory count when the sweep comes."""
    (user,) = await hardened.users(1)
    await hardened.engine.join(user, "global")
    await hardened.age(user, hardened.settings.queue_ttl + 1)
    await hardened.engine.alive(user)
    await hardened.engine.sweep()
    assert await state(hardened, user) == "waiting"


async def test_whoever_was_not_dropped_is_not_expired(hardened):
    """Entries that go because of a leave, a match by hand or a vanished user leave nothing behind."""
    leaver, gone, one, other = await hardened.users(4)
    for user, end in ((leaver, hardened.engine.leave), (gone, hardened.engine.vanished)):
        await hardened.engine.join(user, "global")
        await end(user)
        assert await state(hardened, user) == "idle"
    await hardened.engine.join(one, "global")
    await hardened.execute("insert into public.chat_sessions (user1_id, user2_id) values ($1, $2)", other, one)
    assert await state(hardened, one) == "matched"


async def test_the_log_names_the_user_of_a_dropped_entry(hardened):
    """The whole old row is logged, so that a subscription to `user_id=eq.<uid>` meets its DELETE."""
    identity = "select relreplident::text from pg_class where oid = 'public.waiting_queue'::regclass"
    assert await hardened.value(identity) == "f"
