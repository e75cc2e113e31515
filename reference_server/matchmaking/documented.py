"""The documented engine: the join route and `find_match` as the design document describes them, faults included."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from reference_server.db import Connection, Database, DatabaseError, Unavailable
from reference_server.jobs.schedule import Job
from reference_server.matchmaking.engine import Announce, Match, NoSuchUser, Observer, Unobserved, tell_nobody
from reference_server.settings import Settings

log = logging.getLogger(__name__)

FOREIGN_KEY = "23503"
"""SQLSTATE of a row that refers to one that is not there."""

_CONFIGURE = """
update gurukul.matchmaking_settings
   set queue_ttl = make_interval(secs => $1::float8), session_max_age = make_interval(secs => $2::float8)
"""
_ACTIVE_SESSION = """
select id from public.chat_sessions where (user1_id = $1 or user2_id = $1) and status = 'active' limit 1
"""
_END_SESSION = "update public.chat_sessions set status = 'ended', ended_at = now(), ended_by = $2 where id = $1"
_LEAVE = "delete from public.waiting_queue where user_id = $1"
_ENTER = "insert into public.waiting_queue (user_id, joined_at, match_mode) values ($1, now(), $2)"
_FIND_MATCH = "select match_found, session_id, partner_id, message from public.find_match($1, $2)"


class DocumentedEngine:
    """Queue and matching of the design document, sections 3, 4 and 8.

    The document's route sends each statement with the user's rights. This engine sends them with the owner's: every
    statement names the caller's own rows only, which row-level security would let through as well, and the interface
    knows users, not tokens. Each statement takes a connection of its own and commits by itself, as over PostgREST.
    """

    name = "documented"

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._random = random.Random(settings.find_match_seed)
        self._unawaited: set[asyncio.Task[None]] = set()
        self.announce: Announce = tell_nobody
        self.observer: Observer = Unobserved()
        self.second_hop: Callable[[], Awaitable[None]] = self._second_hop
        """The way of `find_match` to the database; a test puts a gate here."""

    def jobs(self) -> tuple[Job, ...]:
        """None: "NO scheduled job running cleanup (manual only)" (section 8, scenario 2)."""
        return ()

    async def start(self) -> None:
        """Writes the queue's TTL and the sessions' maximum age to where `find_match` reads them."""
        async with self._database.connection() as connection:
            await connection.execute(_CONFIGURE, self._settings.queue_ttl, self._settings.session_max_age)

    async def stop(self) -> None:
        """Waits for every `find_match` that is still under way."""
        while self._unawaited:
            await asyncio.wait(self._unawaited)

    async def join(self, user: UUID, mode: str) -> Match | None:
        """Step 2 of section 3: ends an active session, makes the queue row anew, starts `find_match`, awaits it not.

        Raises:
            NoSuchUser: the user has been deleted.
            DatabaseError: a statement was refused (two joins of one user at once: the second row is a duplicate).
            Unavailable: the database cannot be reached.
        """
        async with self._database.connection() as connection:
            session = await connection.fetchval(_ACTIVE_SESSION, user)
        if session is not None:
            await self._execute(_END_SESSION, session, user)
        await self._execute(_LEAVE, user)
        try:
            await self._execute(_ENTER, user, mode)
        except DatabaseError as error:
            if error.sqlstate == FOREIGN_KEY:
                raise NoSuchUser(user) from None
            raise
        self.observer.entered(user)
        task = asyncio.create_task(self._find_match(user, mode, self.second_hop), name=f"find_match {user}")
        self._unawaited.add(task)
        task.add_done_callback(self._unawaited.discard)
        return None

    async def leave(self, user: UUID) -> None:
        """Deletes the queue row; a `find_match` that is still on its way is not called back."""
        await self._execute(_LEAVE, user)
        self.observer.left(user)

    async def alive(self, user: UUID) -> None:
        """Nothing: an entry lives from when it was made (section 4)."""

    async def vanished(self, user: UUID) -> None:
        """Nothing: "Session NOT automatically ended in DB" (section 8, scenario 1)."""

    async def _second_hop(self) -> None:
        """Uniformly 0 to twice the mean delay, seeded."""
        await asyncio.sleep(self._random.uniform(0, 2 * self._settings.find_match_delay))

    async def _find_match(self, user: UUID, mode: str, hop: Callable[[], Awaitable[None]]) -> None:
        await hop()
        try:
            async with self._database.connection() as connection:
                await self._call_find_match(connection, user, mode)
        except (DatabaseError, Unavailable, OSError) as error:
            log.warning("find_match of %s failed, and nobody retries: %s", user, error)

    async def _call_find_match(self, connection: Connection, user: UUID, mode: str) -> None:
        began = time.perf_counter()
        row = await connection.fetchrow(_FIND_MATCH, user, mode)
        if row is None:
            return
        self.observer.find_match(time.perf_counter() - began, busy=row["message"].startswith("System busy"))
        log.debug("find_match of %s: %s", user, row["message"])
        if row["match_found"]:
            self.observer.paired(user, row["partner_id"])
            self.announce(row["session_id"], user, row["partner_id"])

    async def _execute(self, statement: str, *args: object) -> None:
        async with self._database.connection() as connection:
            await connection.execute(statement, *args)
