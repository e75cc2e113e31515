"""The rate limit of joins: so many for one user in a window, on all instances together, at nobody else's cost."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from reference_server.limits.join_limit import TooManyJoins


async def joined(place, user: UUID, times: int) -> list[object]:
    """Joins one after the other: what each brought, or the refusal."""
    return [await attempt(place, user) for _ in range(times)]


async def attempt(place, user: UUID) -> object:
    try:
        return await place.engine.join(user, "global")
    except TooManyJoins as refusal:
        return refusal


def refusals(answers) -> int:
    return sum(isinstance(answer, TooManyJoins) for answer in answers)


async def pass_time(place, seconds: float) -> None:
    """Makes the joins that are counted older."""
    statement = """update gurukul.recent_joins set moments = array(
                       select m - make_interval(secs => $1) from unnest(moments) with ordinality t (m, n) order by n)"""
    await place.execute(statement, seconds)


async def test_the_eleventh_join_of_a_minute_is_refused(hardened):
    """Ten are let through; the next is refused, and told how long."""
    (user,) = await hardened.users(1)
    answers = await joined(hardened, user, 12)
    assert [isinstance(answer, TooManyJoins) for answer in answers] == [False] * 10 + [True] * 2
    assert 50 <= answers[-1].retry_after <= 60
    assert await hardened.waiting() == [user]


async def test_joins_at_once_are_counted_one_by_one(hardened):
    """Of twenty at once ten are let through, though they go as one."""
    (user,) = await hardened.users(1)
    answers = await asyncio.gather(*(attempt(hardened, user) for _ in range(20)))
    assert refusals(answers) == 10


async def test_the_window_slides(hardened, engine_at_work):
    """As each join grows older than the window, one more is let through."""
    (user,) = await hardened.users(1)
    await joined(hardened, user, 4)
    await pass_time(hardened, 40)
    await joined(hardened, user, 6)
    await pass_time(hardened, 15)
    assert refusals(await joined(hardened, user, 1)) == 1
    await pass_time(hardened, 6)
    async with engine_at_work("hardened", keep=True) as fresh:  # one that remembers no refusal
        assert refusals(await joined(fresh, user, 5)) == 1


async def test_two_instances_count_together(hardened, engine_at_work):
    """Ten joins in turns on two instances are let through, whichever asks next is refused."""
    async with engine_at_work("hardened", keep=True) as second:
        (user,) = await hardened.users(1)
        for _ in range(5):
            assert refusals(await joined(hardened, user, 1) + await joined(second, user, 1)) == 0
        assert refusals(await joined(hardened, user, 1) + await joined(second, user, 1)) == 2


async def test_instances_at_once_count_together(hardened, engine_at_work):
    """Eight joins at once on each of two instances: ten are let through."""
    async with engine_at_work("hardened", keep=True) as second:
        (user,) = await hardened.users(1)
        crowd = [attempt(place, user) for place in (hardened, second) for _ in range(8)]
        assert refusals(await asyncio.gather(*crowd)) == 6


async def test_a_flood_costs_nobody_his_match(hardened):
    """Others who join amid a flood by one user are matched; the flooder has one entry or one session at most."""
    flooder, *others = await hardened.users(9)
    flood = [attempt(hardened, flooder) for _ in range(500)]
    joins = [hardened.engine.join(user, "global") for user in others]
    await asyncio.gather(*flood[:250], *joins, *flood[250:])
    assert len(await hardened.waiting()) == 1
    assert await hardened.doubled() == 0


async def test_a_refused_user_keeps_what_he_has(hardened):
    """A join that is refused ends no session and takes no place in the queue away."""
    user, partner = await hardened.users(2)
    await joined(hardened, user, 9)
    await hardened.engine.join(partner, "global")
    assert await hardened.partner(user) == partner
    await pass_time(hardened, 30)
    await hardened.execute("update gurukul.recent_joins set moments = array_fill(now(), array[10])")
    assert refusals(await joined(hardened, user, 1)) == 1
    assert await hardened.partner(user) == partner


async def test_a_spoilt_batch_counts_nothing(hardened):
    """Joins that the database refused as a whole are not held against anybody."""
    (user,) = await hardened.users(1)
    await hardened.execute("alter table public.waiting_queue add constraint closed check (false) not valid")
    try:
        for _ in range(12):
            with pytest.raises(Exception, match="closed"):
                await hardened.engine.join(user, "global")
    finally:
        await hardened.execute("alter table public.waiting_queue drop constraint closed")
    assert await attempt(hardened, user) is None


async def test_without_a_limit_all_joins_are_let_through(engine_at_work):
    """Zero turns it off."""
    async with engine_at_work("hardened", join_rate_limit=0) as place:
        (user,) = await place.users(1)
        assert refusals(await joined(place, user, 15)) == 0
        assert await place.value("select count(*) from gurukul.recent_joins where user_id = $1", user) == 0


async def test_the_documented_engine_has_no_limit(documented):
    """The document lists it as missing (section 13)."""
    (user,) = await documented.users(1)
    for _ in range(12):
        await documented.burst([user])
    assert await documented.waiting() == [user]
