"""The tracker: sockets counted, grace periods waited out, the engine told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
