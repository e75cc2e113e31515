"""Who is there: counts sockets, waits out the grace period, and tells the engine who is alive and who has vanished."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from uuid import UUID

from reference_server.db import DatabaseError, Unavailable
from reference_server.matchmaking.engine import Engine
from reference_server.sessions.live_sockets import OPEN, Alone, Whereabouts
from reference_server.settings import Settings

log = logging.getLogger(__name__)

POLL_PATIENCE = 4.5
"""Seconds: one and a half of the documented client's poll intervals (document, section 5)."""
RETRY_AFTER = 1.0
AT_ONCE = 4
"""Vanished users of whom the engine is told at the same time: most connections of the pool stay with the requests."""


class SessionTracker:
    """The `Liveness` of one server instance: it knows the sockets of this process, and asks `elsewhere` for the others.

    A user without a socket has `settings.disconnect_grace` seconds to open another, here or at another instance. A sign
    of life over HTTP gives him until his next poll is due. When the time is up, `engine.vanished` is called, and called
    again if that failed. Users who never had a socket are not watched here: their queue entries and their sessions end
    by the TTL (`hardened.sql`).
    """

    def __init__(self, engine: Engine, settings: Settings, elsewhere: Whereabouts | None = None) -> None:
        self._engine = engine
        self._elsewhere = elsewhere or Alone()
        self._grace = settings.disconnect_grace
        self._sockets: dict[UUID, set[int]] = {}
        self._timers: dict[UUID, asyncio.TimerHandle] = {}
        self._seen: set[UUID] = set()
        self._news = asyncio.Event()
        self._teller: asyncio.Task[None] | None = None
        self._overdue: list[UUID] = []
        self._settling: asyncio.Task[None] | None = None
        self._telling = asyncio.Semaphore(AT_ONCE)
        self._stopped = False

    async def start(self) -> None:
        """Starts the task that tells the engine of signs of life, and looks after whom others have left behind."""
        await self._elsewhere.start(self._adopt)
        self._teller = asyncio.create_task(self._tell(), name="signs of life")

    async def stop(self) -> None:
        """Forgets the grace periods (a server that stops ends no session) and ends all tasks. May be called twice."""
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._teller is not None:
            self._teller.cancel()
            await asyncio.wait({self._teller})
        if self._settling is not None:
            await asyncio.wait({self._settling})
        await self._elsewhere.stop()

    def seen(self, user: UUID) -> None:
        """A sign of life; the engine hears of it in the next turn of the loop, however many came."""
        self._seen.add(user)
        self._news.set()
        if user in self._timers:
            self._watch(user, max(self._grace, POLL_PATIENCE))
        elif user not in self._sockets:
            self._elsewhere.seen(user)

    def socket_opened(self, user: UUID, socket: int) -> None:
        """The user has a socket: no grace period runs."""
        self._sockets.setdefault(user, set()).add(socket)
        self._forget(user)
        self._elsewhere.opened(user)
        self.seen(user)

    def socket_closed(self, user: UUID, socket: int) -> None:
        """With his last socket gone, the user's grace period begins. An unknown socket is ignored."""
        sockets = self._sockets.get(user)
        if sockets is None or socket not in sockets:
            return
        sockets.discard(socket)
        if not sockets:
            del self._sockets[user]
            self._watch(user, self._grace)

    def _adopt(self, users: Iterable[UUID], patience: float) -> None:
        for user in users:
            if user not in self._sockets:
                self._wait(user, patience)

    def _watch(self, user: UUID, patience: float) -> None:
        self._wait(user, patience)
        self._elsewhere.lost(user, patience)

    def _wait(self, user: UUID, patience: float) -> None:
        self._forget(user)
        if not self._stopped:
            self._timers[user] = asyncio.get_running_loop().call_later(patience, self._time_is_up, user)

    def _forget(self, user: UUID) -> None:
        timer = self._timers.pop(user, None)
        if timer is not None:
            timer.cancel()

    def _time_is_up(self, user: UUID) -> None:
        del self._timers[user]
        self._overdue.append(user)
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle(), name="vanished users")

    async def _settle(self) -> None:
        """Asks about all whose time is up at once, so that a crowd that leaves costs no more than a few questions."""
        while self._overdue:
            users, self._overdue = self._overdue, []
            try:
                absences = await self._elsewhere.absences(users)
            except (DatabaseError, Unavailable, OSError) as error:
                log.warning("whether %d users have vanished could not be settled yet: %s", len(users), error)
                absences = dict.fromkeys(users, RETRY_AFTER)
            await asyncio.gather(*(self._conclude(user, left) for user, left in absences.items()))

    async def _conclude(self, user: UUID, left: float) -> None:
        """Tells the engine of a user who has vanished, or waits on."""
        try:
            async with self._telling:
                if left == 0.0 and user not in self._sockets:
                    await self._engine.vanished(user)
        except (DatabaseError, Unavailable, OSError) as error:
            log.warning("whether %s has vanished could not be settled yet: %s", user, error)
            left = RETRY_AFTER
        if user in self._sockets or user in self._timers:
            return  # he is back, or somebody waits for him again
        if left in (0.0, OPEN):
            self._elsewhere.gone(user)
        else:
            self._wait(user, left)

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            users, self._seen = self._seen, set()
            for user in users:
                await self._tell_of(user)

    async def _tell_of(self, user: UUID) -> None:
        try:
            await self._engine.alive(user)
        except (DatabaseError, Unavailable, OSError) as error:
            log.warning("a sign of life of %s was lost: %s", user, error)
