"""Tells the other instances, through the database, who has a socket here, and asks where else somebody has one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Collection, Iterable
from typing import Protocol
from uuid import UUID, uuid4

from reference_server.db import Database, DatabaseError, Unavailable

log = logging.getLogger(__name__)

SPACING = 0.1
"""Seconds between two messages at least: what changes meanwhile goes together."""
BEATS = 4
"""Signs of life that an instance gives before it would be taken for dead."""
OPEN = math.inf

_NOTE = "select gurukul.note_sockets($1, $2, $3, $4, $5, $6, $7)"
_ADOPT = "select gurukul.adopt_users($1, $2, $3, $4)"
_ABSENCES = "select user_id, seconds from gurukul.absences($1)"
_END = "select gurukul.end_instance($1)"

Adopted = Callable[[Iterable[UUID], float], None]


class Whereabouts(Protocol):
    """Knows of the sockets of all instances."""

    async def start(self, adopted: Adopted) -> None:
        """Begins; `adopted` is called with users whom this instance must look after, and the seconds that they have."""

    async def stop(self) -> None:
        """Leaves this instance's users to the others. May be called twice."""

    def opened(self, user: UUID) -> None:
        """The user has a socket here."""

    def lost(self, user: UUID, patience: float) -> None:
        """He has none here any more, and will have vanished in `patience` seconds unless he shows life."""

    def gone(self, user: UUID) -> None:
        """This instance does not look after him any more."""

    def seen(self, user: UUID) -> None:
        """A user without a socket here showed life."""

    async def absences(self, users: Collection[UUID]) -> dict[UUID, float]:
        """In how many seconds each will have vanished: 0.0 if he has, infinity while he has a socket anywhere.

        Raises:
            DatabaseError, Unavailable: nobody can tell now.
        """


class Alone:
    """There is no other instance: whoever is gone from here is gone."""

    async def start(self, adopted: Adopted) -> None: ...
    async def stop(self) -> None: ...
    def opened(self, user: UUID) -> None: ...
    def lost(self, user: UUID, patience: float) -> None: ...
    def gone(self, user: UUID) -> None: ...
    def seen(self, user: UUID) -> None: ...

    async def absences(self, users: Collection[UUID]) -> dict[UUID, float]:
        return dict.fromkeys(users, 0.0)


class LiveSockets:
    """The `Whereabouts` of instances that share a database (`sessions.sql`).

    What changes is written in batches, at most every `SPACING` seconds and at least `BEATS` times in `timeout` seconds,
    which is also the sign that this instance lives: one that gives none for so long is dead, and another adopts its
    users. These have `grace` seconds to open a socket; `patience` seconds are what a sign of life over HTTP gives
    somebody without one, and what a new instance gives those whom it finds.
    """

    def __init__(self, database: Database, timeout: float, grace: float, patience: float) -> None:
        self.instance = uuid4()
        self._database = database
        self._timeout = timeout
        self._grace = grace
        self._patience = patience
        self._deadlines: dict[UUID, float] = {}
        self._changed: set[UUID] = set()
        self._seen: set[UUID] = set()
        self._adopted: Adopted = lambda _users, _seconds: None
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._next_beat = 0.0

    async def start(self, adopted: Adopted) -> None:
        """Makes this instance known, and adopts the users of instances that are no more.

        Raises:
            DatabaseError, Unavailable: the database does not take it.
        """
        self._adopted = adopted
        await self._beat(new=True)
        self._task = asyncio.create_task(self._run(), name="live sockets")

    async def stop(self) -> None:
        """Tells the last changes and leaves the users to the others. May be called twice."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task})
        with contextlib.suppress(DatabaseError, Unavailable, OSError):
            await self._write()
            async with self._database.connection() as connection:
                await connection.execute(_END, self.instance)

    def opened(self, user: UUID) -> None:
        """The user has a socket here; what he showed before it must not put off its loss."""
        self._seen.discard(user)
        self._set(user, OPEN)

    def lost(self, user: UUID, patience: float) -> None:
        """He has none here any more, and will have vanished in `patience` seconds unless he shows life."""
        self._set(user, asyncio.get_running_loop().time() + patience)

    def gone(self, user: UUID) -> None:
        """This instance does not look after him any more."""
        if self._deadlines.pop(user, None) is not None:
            self._changed.add(user)
            self._news.set()

    def seen(self, user: UUID) -> None:
        """A user without a socket here showed life; where his last one was, they hear of it with the next beat."""
        self._seen.add(user)

    async def absences(self, users: Collection[UUID]) -> dict[UUID, float]:
        """In how many seconds each will have vanished: 0.0 if he has, infinity while he has a socket anywhere."""
        await self._write()
        async with self._database.connection() as connection:
            rows = await connection.fetch(_ABSENCES, list(users))
        return {row["user_id"]: row["seconds"] for row in rows}

    def _set(self, user: UUID, deadline: float) -> None:
        if self._deadlines.get(user) != deadline:
            self._deadlines[user] = deadline
            self._changed.add(user)
            self._news.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._turn()
            except (DatabaseError, Unavailable, OSError) as error:
                log.warning("the other instances cannot be told who is here: %s", error)
            await asyncio.sleep(SPACING)

    async def _turn(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._next_beat):
                await self._news.wait()
        if asyncio.get_running_loop().time() >= self._next_beat:
            await self._beat()
        else:
            await self._write()

    async def _beat(self, *, new: bool = False) -> None:
        self._next_beat = asyncio.get_running_loop().time() + self._timeout / BEATS
        await self._write(beat=True)
        async with self._database.connection() as connection:
            seconds = self._patience if new else self._grace
            rows = await connection.fetch(_ADOPT, self.instance, new, self._timeout, seconds)
        users = [row[0] for row in rows if row[0] not in self._deadlines]
        deadline = asyncio.get_running_loop().time() + seconds
        self._deadlines.update(dict.fromkeys(users, deadline))
        if users:
            log.info("%d users of an instance that is no more are looked after here", len(users))
            self._adopted(users, seconds)

    async def _write(self, *, beat: bool = False) -> None:
        async with self._writing:
            if not (beat or self._changed):
                return
            changed, self._changed = self._changed, set()
            seen, self._seen = (self._seen, set()) if beat else (set(), self._seen)
            self._news.clear()
            try:
                if not await self._note(changed, seen):
                    await self._note(set(self._deadlines), set())
            except BaseException:
                self._changed |= changed
                self._seen |= seen
                self._news.set()
                raise

    async def _note(self, changed: set[UUID], seen: set[UUID]) -> bool:
        now = asyncio.get_running_loop().time()
        deadlines = self._deadlines
        lost = [user for user in changed if deadlines.get(user, OPEN) != OPEN]
        async with self._database.connection() as connection:
            return bool(
                await connection.fetchval(
                    _NOTE,
                    self.instance,
                    [user for user in changed if deadlines.get(user) == OPEN],
                    lost,
                    [deadlines[user] - now for user in lost],
                    [user for user in changed if user not in deadlines],
                    list(seen),
                    self._patience,
                )
            )
