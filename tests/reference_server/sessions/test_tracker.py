"""The tracker: sockets counted, grace periods waited out, the engine told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from uuid import UUID, uuid4

import pytest

from reference_server.db import Unavailable
from reference_server.matchmaking.engine import Match
from reference_server.sessions import tracker as module
from reference_server.sessions.tracker import SessionTracker
from reference_server.settings import Settings


class ListeningEngine:
    """An engine that notes what it is told."""

    name = "listening"

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[str, UUID]] = asyncio.Queue()
        self.refusals = 0

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def join(self, user: UUID, mode: str) -> Match | None: ...
    async def leave(self, user: UUID) -> None: ...

    async def alive(self, user: UUID) -> None:
        self.told.put_nowait(("alive", user))

    async def vanished(self, user: UUID) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("gone fishing")
        self.told.put_nowait(("vanished", user))

    async def next(self, word: str) -> UUID:
        """The next user told with this word; what else is told meanwhile is dropped."""
        async with asyncio.timeout(5):
            while True:
                said, user = await self.told.get()
                if said == word:
                    return user

    def heard(self) -> list[str]:
        """What has been told and not been asked for."""
        return [self.told.get_nowait()[0] for _ in range(self.told.qsize())]


@pytest.fixture
def engine() -> ListeningEngine:
    return ListeningEngine()


@pytest.fixture
async def tracker(engine: ListeningEngine) -> AsyncIterator[SessionTracker]:
    made = SessionTracker(engine, Settings(disconnect_grace=0.02))
    await made.start()
    yield made
    await made.stop()


async def test_a_sign_of_life_reaches_the_engine(tracker: SessionTracker, engine: ListeningEngine):
    """seen() makes the engine hear of the user."""
    user = uuid4()
    tracker.seen(user)
    assert await engine.next("alive") == user


async def test_many_signs_at_once_are_told_once(tracker: SessionTracker, engine: ListeningEngine):
    """A burst of frames in one turn of the loop is one sign of life."""
    user, last = uuid4(), uuid4()
    for _ in range(100):
        tracker.seen(user)
    await engine.next("alive")
    tracker.seen(last)
    assert await engine.next("alive") == last
    assert engine.heard() == []


async def test_a_user_vanishes_after_his_last_socket(tracker: SessionTracker, engine: ListeningEngine):
    """Closing one of two sockets means nothing; after the last one and the grace period the engine is told once."""
    user, other = uuid4(), uuid4()
    tracker.socket_opened(user, 1)
    tracker.socket_opened(user, 2)
    tracker.socket_closed(user, 1)
    tracker.socket_opened(other, 3)
    tracker.socket_closed(other, 3)
    assert await engine.next("vanished") == other
    tracker.socket_closed(user, 2)
    assert await engine.next("vanished") == user
    assert "vanished" not in engine.heard()


async def test_a_user_who_comes_back_in_time_has_not_vanished(tracker: SessionTracker, engine: ListeningEngine):
    """A new socket within the grace period cancels it."""
    user, other = uuid4(), uuid4()
    tracker.socket_opened(user, 1)
    tracker.socket_closed(user, 1)
    tracker.socket_opened(user, 2)
    tracker.socket_opened(other, 3)
    tracker.socket_closed(other, 3)
    assert await engine.next("vanished") == other


async def test_a_poll_without_a_socket_buys_time_until_the_next(
    tracker: SessionTracker, engine: ListeningEngine, monkeypatch: pytest.MonkeyPatch
):
    """A user whose socket is gone and who polls is still there; when the polls end, he vanishes."""
    monkeypatch.setattr(module, "POLL_PATIENCE", 0.06)
    user, other = uuid4(), uuid4()
    tracker.socket_opened(user, 1)
    tracker.socket_closed(user, 1)
    tracker.seen(user)
    tracker.socket_opened(other, 2)
    tracker.socket_closed(other, 2)
    assert [await engine.next("vanished"), await engine.next("vanished")] == [other, user]


async def test_a_socket_that_was_never_opened_is_ignored(tracker: SessionTracker, engine: ListeningEngine):
    """Closing an unknown socket, or one twice, starts no grace period."""
    user, other = uuid4(), uuid4()
    tracker.socket_closed(user, 1)
    tracker.socket_opened(other, 2)
    tracker.socket_closed(other, 2)
    tracker.socket_closed(other, 2)
    assert await engine.next("vanished") == other
    assert engine.heard() == []


async def test_a_failed_farewell_is_repeated(
    tracker: SessionTracker, engine: ListeningEngine, monkeypatch: pytest.MonkeyPatch
):
    """Where the database could not be reached, the engine is told again until it has taken it."""
    monkeypatch.setattr(module, "RETRY_AFTER", 0.01)
    engine.refusals = 2
    user = uuid4()
    tracker.socket_opened(user, 1)
    tracker.socket_closed(user, 1)
    assert await engine.next("vanished") == user


async def test_a_stopping_server_lets_nobody_vanish(engine: ListeningEngine):
    """stop() may be called twice, forgets the grace periods, and what closes afterwards starts none."""
    tracker = SessionTracker(engine, Settings(disconnect_grace=0.0))
    await tracker.start()
    one, other = uuid4(), uuid4()
    tracker.socket_opened(one, 1)
    tracker.socket_opened(other, 2)
    tracker.socket_closed(one, 1)
    await tracker.stop()
    tracker.socket_closed(other, 2)
    await tracker.stop()
    assert "vanished" not in engine.heard()


class Elsewhere:
    """What other instances know, as the test says; notes what it is told."""

    def __init__(self) -> None:
        self.answers: list[float | Exception] = []
        self.asked: list[set[UUID]] = []
        self.asking = asyncio.Event()
        self.held: asyncio.Event | None = None
        self.told: list[tuple[str, UUID]] = []
        self.adopted = None

    async def start(self, adopted) -> None:
        self.adopted = adopted

    async def stop(self) -> None: ...

    def opened(self, user: UUID) -> None:
        self.told.append(("opened", user))

    def lost(self, user: UUID, patience: float) -> None:
        self.told.append(("lost", user))

    def gone(self, user: UUID) -> None:
        self.told.append(("gone", user))

    def seen(self, user: UUID) -> None:
        self.told.append(("seen", user))

    async def absences(self, users: Collection[UUID]) -> dict[UUID, float]:
        self.asked.append(set(users))
        self.asking.set()
        if self.held is not None:
            await self.held.wait()
        return {user: self.answer() for user in users}

    def answer(self) -> float:
        answer = self.answers.pop(0) if self.answers else 0.0
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
async def shared_tracker(engine: ListeningEngine, elsewhere: Elsewhere) -> AsyncIterator[SessionTracker]:
    """A tracker beside other instances."""
    made = SessionTracker(engine, Settings(disconnect_grace=0.02), elsewhere)
    await made.start()
    yield made
    await made.stop()


def leave(tracker: SessionTracker, user: UUID) -> None:
    """A socket that opens and closes."""
    tracker.socket_opened(user, 1)
    tracker.socket_closed(user, 1)


async def test_the_others_are_told_of_sockets(shared_tracker, engine, elsewhere):
    """Opened, lost, and in the end no business of ours any more."""
    user = uuid4()
    leave(shared_tracker, user)
    assert await engine.next("vanished") == user
    await asyncio.sleep(0)
    assert elsewhere.told == [("opened", user), ("lost", user), ("gone", user)]


async def test_a_socket_elsewhere_keeps_a_user_alive(shared_tracker, engine, elsewhere):
    """He is left to the instance that has his socket."""
    user, other = uuid4(), uuid4()
    elsewhere.answers = [float("inf")]
    leave(shared_tracker, user)
    leave(shared_tracker, other)
    assert await engine.next("vanished") == other
    assert ("gone", user) in elsewhere.told


async def test_life_shown_elsewhere_is_waited_for(shared_tracker, engine, elsewhere):
    """The others say how long he has yet; then they are asked again."""
    user = uuid4()
    elsewhere.answers = [0.02, 0.01, 0.0]
    leave(shared_tracker, user)
    assert await engine.next("vanished") == user
    assert elsewhere.answers == []


async def test_nobody_vanishes_while_the_others_cannot_be_asked(
    shared_tracker, engine, elsewhere, monkeypatch: pytest.MonkeyPatch
):
    """The question is asked again until it is answered."""
    monkeypatch.setattr(module, "RETRY_AFTER", 0.01)
    user = uuid4()
    elsewhere.answers = [Unavailable("gone"), Unavailable("gone"), 0.0]
    leave(shared_tracker, user)
    assert await engine.next("vanished") == user
    assert elsewhere.answers == []


async def test_a_crowd_that_leaves_is_asked_about_at_once(shared_tracker, engine, elsewhere):
    """While one question is under way, those whose time comes up gather for the next."""
    first, *crowd = (uuid4() for _ in range(50))
    elsewhere.held = asyncio.Event()
    leave(shared_tracker, first)
    async with asyncio.timeout(5):
        await elsewhere.asking.wait()
    elsewhere.adopted(crowd, 0.0)
    asyncio.get_running_loop().call_later(0.01, elsewhere.held.set)
    assert {await engine.next("vanished") for _ in range(50)} == {first, *crowd}
    assert elsewhere.asked == [{first}, set(crowd)]


async def test_adopted_users_are_watched(shared_tracker, engine, elsewhere):
    """Those of a dead instance vanish when their time is up; one who has a socket here does not."""
    here, gone = uuid4(), uuid4()
    shared_tracker.socket_opened(here, 1)
    elsewhere.adopted([here, gone], 0.02)
    assert await engine.next("vanished") == gone
    assert "vanished" not in engine.heard()


async def test_life_over_http_is_passed_on(shared_tracker, elsewhere):
    """A poll of somebody whose socket may be at another instance is told there; that of one connected here is not."""
    far, near = uuid4(), uuid4()
    shared_tracker.socket_opened(near, 1)
    shared_tracker.seen(near)
    shared_tracker.seen(far)
    assert [user for word, user in elsewhere.told if word == "seen"] == [far]
