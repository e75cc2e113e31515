"""Group commit: what gathers together goes together, a lone join goes at once, and nobody is left without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from reference_server.matchmaking import batching
from reference_server.matchmaking.batching import JoinBatches, PendingJoin
from reference_server.matchmaking.engine import Match, NotQueued


class Database:
    """Takes batches; holds each until `release`, if told to."""

    def __init__(self) -> None:
        self.batches: list[list[PendingJoin]] = []
        self.keeps: list[list[object]] = []
        self.arrived = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()
        self.failure: Exception | None = None
        self.matches: dict[object, Match] = {}
        self.mute = False
        self.sweeps = 0
        self.swept = asyncio.Event()

    async def run(self, joins: list[PendingJoin]) -> None:
        self.batches.append(joins)
        self.keeps.append([join.keep for join in joins])
        self.arrived.set()
        await self.free.wait()
        if self.failure is not None:
            raise self.failure
        for join in joins if not self.mute else ():
            join.answer(self.matches.get(join.user))

    async def sweep(self) -> None:
        self.sweeps += 1
        if self.sweeps == 1:
            raise ConnectionResetError("the first sweep fails")
        self.swept.set()


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
async def batches(database: Database) -> AsyncIterator[JoinBatches]:
    made = JoinBatches(database.run, database.sweep, 1000)
    made.start()
    yield made
    database.free.set()
    await made.stop()


async def hold(database: Database, batches: JoinBatches) -> asyncio.Task[Match | None]:
    """A join that is with the database and stays there until `free` is set."""
    database.free.clear()
    task = asyncio.create_task(batches.submit(uuid4(), "global"))
    await database.arrived.wait()
    return task


async def test_a_lone_join_goes_at_once(database, batches):
    """It makes a batch of its own."""
    assert await batches.submit(uuid4(), "global") is None
    assert [len(batch) for batch in database.batches] == [1]


async def test_joins_gather_behind_a_batch(database, batches):
    """What comes while one batch is with the database goes together, in order of arrival."""
    first = await hold(database, batches)
    users = [uuid4() for _ in range(5)]
    rest = [asyncio.create_task(batches.submit(user, "global")) for user in users]
    await asyncio.sleep(0)
    database.free.set()
    await asyncio.gather(first, *rest)
    assert [join.user for join in database.batches[1]] == users


async def test_a_batch_has_a_limit(database, batches, monkeypatch):
    """A crowd goes in several batches, and nobody is forgotten."""
    monkeypatch.setattr(batching, "BATCH_LIMIT", 2)
    await asyncio.gather(*(batches.submit(uuid4(), "global") for _ in range(5)))
    assert sorted(len(batch) for batch in database.batches) == [1, 2, 2]


@pytest.mark.parametrize(("matched", "sizes"), [(True, [20, 16, 4]), (False, [21, 16, 3])])
async def test_a_crowd_is_divided(database, batches, matched, sizes):
    """Half of many go, so that the others are with the database while these are answered; whom the batch before has
    left waiting gets a partner."""
    user = uuid4()
    if matched:
        database.matches[user] = Match(uuid4(), uuid4(), user)
    database.free.clear()
    first = asyncio.create_task(batches.submit(user, "global"))
    await database.arrived.wait()
    for other in (crowd := [uuid4() for _ in range(40)]):
        database.matches[other] = Match(uuid4(), uuid4(), other)
    rest = [asyncio.create_task(batches.submit(other, "global")) for other in crowd]
    await asyncio.sleep(0)
    database.free.set()
    await asyncio.gather(first, *rest)
    assert [len(batch) for batch in database.batches[1:]] == sizes
    assert [join.user for batch in database.batches[1:] for join in batch] == crowd


async def test_joins_of_one_user_that_gather_are_one(database, batches):
    """They share place and answer; the last mode counts."""
    first = await hold(database, batches)
    user = uuid4()
    match = database.matches[user] = Match(uuid4(), uuid4(), user)
    tasks = [asyncio.create_task(batches.submit(user, mode)) for mode in ("global", "buddies_first")]
    await asyncio.sleep(0)
    database.free.set()
    await first
    assert await asyncio.gather(*tasks) == [match, match]
    assert [(join.user, join.mode) for join in database.batches[1]] == [(user, "buddies_first")]


async def test_a_join_behind_ones_own_keeps_its_session(database, batches):
    """A join that came while the same user's was under way is told the session that one brought; a later one is not."""
    user = uuid4()
    match = database.matches[user] = Match(uuid4(), uuid4(), user)
    database.free.clear()
    first = asyncio.create_task(batches.submit(user, "global"))
    await database.arrived.wait()
    second = asyncio.create_task(batches.submit(user, "global"))
    await asyncio.sleep(0)
    database.free.set()
    await asyncio.gather(first, second)
    await batches.submit(user, "global")
    assert database.keeps == [[None], [match.session_id], [None]]


async def test_a_join_behind_a_failed_one_keeps_nothing(database, batches):
    """What the earlier join did not bring cannot be kept."""
    user = uuid4()
    database.failure = ConnectionResetError("gone")
    database.free.clear()
    first = asyncio.create_task(batches.submit(user, "global"))
    await database.arrived.wait()
    second = asyncio.create_task(batches.submit(user, "global"))
    await asyncio.sleep(0)
    database.free.set()
    assert [type(e) for e in await asyncio.gather(first, second, return_exceptions=True)] == [ConnectionResetError] * 2
    assert database.keeps == [[None], [None]]


async def test_a_failed_batch_fails_its_joins_alone(database, batches):
    """Its callers get the error; the next batch works."""
    database.failure = ConnectionResetError("gone")
    with pytest.raises(ConnectionResetError):
        await batches.submit(uuid4(), "global")
    database.failure = None
    assert await batches.submit(uuid4(), "global") is None


async def test_a_join_without_an_answer_fails(database, batches):
    """Nobody waits for ever for a row that did not come."""
    database.mute = True
    with pytest.raises(NotQueued, match="unanswered"):
        await batches.submit(uuid4(), "global")


async def test_a_caller_who_goes_away_takes_nobody_with_him(database, batches):
    """One of two callers of a shared join is cancelled: the join goes on, the other gets the answer."""
    first = await hold(database, batches)
    user = uuid4()
    gone, stays = (asyncio.create_task(batches.submit(user, "global")) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    database.free.set()
    await first
    assert await stays is None
    assert gone.cancelled()


async def test_settled_waits_for_the_users_joins(database, batches):
    """It returns at once where there are none, and after the answer where there are."""
    await batches.settled(uuid4())
    user = uuid4()
    database.free.clear()
    join = asyncio.create_task(batches.submit(user, "global"))
    await database.arrived.wait()
    settled = asyncio.create_task(batches.settled(user))
    await asyncio.sleep(0)
    assert not settled.done()
    database.free.set()
    await settled
    assert await join is None


async def test_stop_answers_what_has_come(database, batches):
    """Joins that wait when stop is called are carried out; later ones are refused; a second stop does nothing."""
    first = await hold(database, batches)
    waiting = asyncio.create_task(batches.submit(uuid4(), "global"))
    await asyncio.sleep(0)
    stop = asyncio.create_task(batches.stop())
    await asyncio.sleep(0)
    with pytest.raises(NotQueued, match="does not run"):
        await batches.submit(uuid4(), "global")
    database.free.set()
    await stop
    assert await asyncio.gather(first, waiting) == [None, None]
    await batches.stop()


async def test_sweeps_go_on_after_one_failed(database):
    """An error of a sweep is logged, the next one comes."""
    batches = JoinBatches(database.run, database.sweep, 0.001)
    batches.start()
    async with asyncio.timeout(5):
        await database.swept.wait()
    await batches.stop()
