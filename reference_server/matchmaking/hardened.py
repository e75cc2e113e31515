"""The hardened engine: the document's interface without its faults, joins paired in batches under one lock."""

from __future__ import annotations

import asyncio
import logging
import time
from uuid import UUID

from reference_server.db import Connection, Database, DatabaseError, Record
from reference_server.jobs.schedule import Job
from reference_server.limits.join_limit import JoinLimit
from reference_server.matchmaking.batching import JoinBatches, PendingJoin
from reference_server.matchmaking.engine import Announce, Match, NoSuchUser, Observer, Status, Unobserved, tell_nobody
from reference_server.matchmaking.signs import SignsOfLife
from reference_server.settings import Settings

log = logging.getLogger(__name__)

ATTEMPTS = 4
CLOSE_TIMEOUT = 5.0
REPEATABLE = frozenset({"40001", "40P01", "55P03", "23503", "23505"})
"""What a write by somebody else at the same moment can bring: a deadlock, a row that he holds, a user booked or deleted
meanwhile."""
HINDERED = "55P03"

_CONFIGURE = """
update gurukul.matchmaking_settings
   set queue_ttl = make_interval(secs => $1::float8), session_max_age = make_interval(secs => $2::float8),
       join_limit = $3, join_window = $4
"""
_MATCH_WAITING = "select * from gurukul.match_waiting($1, $2, $3, $4, $5, $6, $7, $8)"
_MATCH_UNHINDERED = "select * from gurukul.match_unhindered($1, $2, $3, $4, $5, $6, $7, $8)"
_SWEEP = "select gurukul.sweep()"
_END_SILENT = "select gurukul.end_silent_sessions()"
_FORGET_JOINS = "select gurukul.forget_joins($1)"
_LEAVE = "select gurukul.leave($1)"
_STATUS = "select * from gurukul.status($1)"
_VANISH = "select gurukul.vanish($1, $2)"


class HardenedEngine:
    """Queue and matching without the faults of the document: `hardened.sql` keeps the promises, this class feeds it.

    Signs of life are kept in memory and go to the database with a batch or sweep, each with its age and only where they
    make a difference, so that a poll costs no statement and few rows change. Several instances may work on one
    database: the lock of `match_waiting` orders them.
    """

    name = "hardened"

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._signs = SignsOfLife(settings.queue_ttl / 2)
        self._limit = JoinLimit(settings.join_rate_limit, settings.join_rate_window, time.monotonic)
        self._connection: Connection | None = None
        self.announce: Announce = tell_nobody
        self.observer: Observer = Unobserved()
        self._joins = JoinBatches(self._run_batch, self._write_signs, settings.queue_ttl / 4)

    def jobs(self) -> tuple[Job, ...]:
        """The sweep, the end of sessions whose members nobody hears of, and that of rate windows that have passed."""
        settings = self._settings
        return (
            Job("sweep", settings.queue_ttl / 4, _SWEEP),
            Job("silent members", settings.queue_ttl / 4, _END_SILENT),
            Job("join windows", settings.join_rate_window, _FORGET_JOINS, (settings.join_rate_window,)),
        )

    async def start(self) -> None:
        """Writes the queue's TTL and the other limits to where the SQL reads them, and starts the batches."""
        settings, limit = self._settings, self._limit
        async with self._database.connection() as connection:
            await connection.execute(
                _CONFIGURE, settings.queue_ttl, settings.session_max_age, limit.limit, limit.window
            )
        self._joins.start()

    async def stop(self) -> None:
        """Answers the joins that have come, then ends the batches."""
        await self._joins.stop()
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close(timeout=CLOSE_TIMEOUT)

    async def join(self, user: UUID, mode: str) -> Match | None:
        """Joins with the next batch. A waiting user keeps his place; joins of one user at once are one join.

        Raises:
            TooManyJoins: the user has joined too often, here or elsewhere.
            NoSuchUser: the user has been deleted.
            NotQueued: the engine has been stopped.
            DatabaseError: the batch was refused; nobody in it has joined.
            Unavailable: the database cannot be reached.
        """
        self._limit.check(user)
        return await self._joins.submit(user, mode)

    async def leave(self, user: UUID) -> None:
        """Removes the queue entry, also that of a join which came before and is still under way."""
        await self._joins.settled(user)
        await self._execute(_LEAVE, user)

    async def status(self, user: UUID) -> Status:
        """Where this user stands; a waiter who was dropped as stale learns it here."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_STATUS, user)
        if row is None:
            return Status("idle")
        return Status(row["state"], _match_of(row))

    async def alive(self, user: UUID) -> None:
        """Notes a sign of life; it renews the queue entry's TTL from this moment, as a join that is under way does."""
        if not self._joins.under_way(user):
            self._signs.show(user, asyncio.get_running_loop().time())

    async def vanished(self, user: UUID) -> None:
        """Removes the queue entry and ends the session; the partner is told by the change and by a signal.

        A user who joins again while this is under way keeps what that join brings.
        """
        loop = asyncio.get_running_loop()
        given_up = loop.time()
        async with self._database.connection() as connection:
            await connection.execute(_VANISH, user, loop.time() - given_up)

    async def sweep(self) -> None:
        """What no join brings about: stale entries go, rows that clients wrote are paired, old sessions end."""
        await self._write_signs()
        await self._execute(_SWEEP)

    async def _write_signs(self) -> None:
        """Signs of life of this instance that no join has taken along, and those that were held back."""
        if self._signs.settle(asyncio.get_running_loop().time()):
            await self._match([])

    async def _run_batch(self, joins: list[PendingJoin]) -> None:
        by_user = {join.user: join for join in joins}
        told: set[UUID] = set()
        began = time.perf_counter()
        unhindered = any(join.hindered for join in joins)
        for join in joins:
            join.hindered = False
        rows = await self._match(joins, unhindered=unhindered)
        now = time.perf_counter()
        self.observer.batch(len(joins), now - began, rows[0]["lock_wait"])
        for user, admitted, retry_after, queued, session, partner, offerer, waited, partner_waited, _ in rows:
            join = by_user[user]
            if queued is None:
                join.hindered = True
                continue
            if retry_after is not None:
                join.admitted = admitted
                join.refusal = self._limit.refuse(user, retry_after)
            if session is not None and session != join.keep and admitted > 0:
                # Who stood in the queue has waited since he came there; a partner who joins, too, is told of himself.
                self.observer.matched(now - join.since if waited is None else waited)
                if partner_waited is not None and partner not in by_user:
                    self.observer.matched(partner_waited)
                if session not in told:
                    told.add(session)
                    self.announce(session, user, partner)
            if queued or join.refusal is not None:
                join.answer(None if session is None else Match(session, partner, offerer))
            else:
                join.fail(NoSuchUser(user))

    async def _match(self, joins: list[PendingJoin], *, unhindered: bool = False) -> list[Record]:
        """One pass, with all joins or with those that nobody hinders; repeated when somebody else's write came between.

        The signs of life stay here until it commits.
        """
        signs = self._signs.take()
        statement = _MATCH_UNHINDERED if unhindered else _MATCH_WAITING
        try:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    return await self._call(statement, joins, signs)
                except DatabaseError as error:
                    if error.sqlstate not in REPEATABLE or attempt == ATTEMPTS:
                        raise
                    if error.sqlstate == HINDERED:
                        statement = _MATCH_UNHINDERED
                    log.info("the pass is repeated: %s", error)
        except BaseException:
            self._signs.put_back(signs)
            raise
        raise AssertionError("the last attempt returns or raises")

    async def _call(self, statement: str, joins: list[PendingJoin], signs: dict[UUID, float]) -> list[Record]:
        connection = await self._own_connection()
        now = asyncio.get_running_loop().time()
        return await connection.fetch(
            statement,
            [join.user for join in joins],
            [join.mode for join in joins],
            [join.keep for join in joins],
            list(signs),
            [now - seen for seen in signs.values()],
            [len(join.callers) for join in joins],
            self._limit.limit,
            self._limit.window,
        )

    async def _own_connection(self) -> Connection:
        """The connection of the batches, which come one at a time: they need not wait for one of the pool."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.dedicated()
        return self._connection

    async def _execute(self, statement: str, *args: object) -> None:
        async with self._database.connection() as connection:
            await connection.execute(statement, *args)


def _match_of(row: Record) -> Match | None:
    if row["session_id"] is None:
        return None
    return Match(row["session_id"], row["partner_id"], row["offerer_id"])
