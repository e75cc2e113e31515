"""Follows the write-ahead log through a temporary logical slot and hands out changes in commit order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from reference_server.db import Connection, Database, DatabaseError, Refused, Unavailable
from reference_server.realtime.changes import assemble, relations
from reference_server.realtime.cluster import PREFIX
from reference_server.realtime.pgoutput import Message, Relation, Told, decode
from reference_server.realtime.tables import Change, Table

log = logging.getLogger(__name__)

Deliver = Callable[[Connection, list[Change]], Awaitable[None]]
"""Tells a batch of changes; may ask PostgreSQL on the connection given. What it raises counts as a lost connection."""

Hear = Callable[[bytes], None]
"""Takes what another instance has written into the log for us."""

IDLE_POLL = 0.5
"""Seconds between reads while nobody listens: only to let the log go."""
RETRY_FIRST, RETRY_MOST = 0.1, 2.0

# The log holds values as text in the reading connection's form: `rows` expects this one.
# And where this machine is gone without a word, PostgreSQL must find out soon: the slot says that the instance lives.
_FORM = """
select set_config('datestyle', 'ISO, MDY', false), set_config('extra_float_digits', '1', false),
       set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '10000', false)
"""
_OPEN = "select gurukul.realtime_open($1)"
_TOLD = ord("M")
_ROLES = ("anon", "authenticated")
_READ = "select gurukul.realtime_read($1, $2)"
_TABLE = "select t.*, gurukul.realtime_prepare($1) as visibility from gurukul.realtime_table($1) t"


class Feed:
    """Reads the log for as long as it is started.

    A lost connection is made again with a new slot: what was committed in between is told to nobody, as with the real
    server, and logged. `poll` is the time in seconds between two reads, `batch` about how many messages one read takes.
    `hear` is given what `gurukul.realtime_tell` wrote; `pressed` says that this must not wait, although nobody listens
    to changes; `reopened` is called when the log is followed again after a loss. The slot is named for the `instance`.
    """

    def __init__(
        self,
        database: Database,
        deliver: Deliver,
        listened: Callable[[], bool],
        *,
        poll: float,
        batch: int,
        instance: str = "",
        hear: Hear = lambda _content: None,
        pressed: Callable[[], bool] = lambda: False,
        reopened: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._deliver = deliver
        self._listened = listened
        self._hear = hear
        self._pressed = pressed
        self._reopened = reopened
        self._slot = f"gurukul_{instance or secrets.token_hex(6)}"
        self._opened = 0
        self._poll: Final = poll
        self._batch: Final = batch
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._tables: dict[int, Table] = {}
        self.connected = asyncio.Event()
        """Set while the log is being followed."""

    async def start(self) -> None:
        """Opens the slot; every change committed from now on is seen.

        Raises:
            Refused: PostgreSQL refuses the slot.
            Unavailable: PostgreSQL is gone.
        """
        try:
            connection, slot = await self._open()
        except DatabaseError as error:
            remedy = "raise max_replication_slots and max_wal_senders, or end other servers on this PostgreSQL"
            raise Refused(f"the change feed has no replication slot ({error})", remedy) from error
        self._task = asyncio.create_task(self._run(connection, slot), name="realtime-feed")

    async def stop(self) -> None:
        """Stops reading and lets the slot go. May be called twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def wake(self) -> None:
        """Somebody listens now: read at once, then at the usual pace."""
        self._wanted.set()

    async def _open(self) -> tuple[Connection, str]:
        connection = await self._database.dedicated()
        self._opened += 1
        slot = f"{self._slot}_{self._opened}"
        try:
            await connection.execute(_FORM)
            await connection.execute(_OPEN, slot)
        except BaseException:
            connection.terminate()
            raise
        self._tables.clear()
        self.connected.set()
        return connection, slot

    async def _run(self, connection: Connection, slot: str) -> None:
        while True:
            try:
                await self._follow(connection, slot)
            except Exception as error:  # noqa: BLE001 — the rim of the task: whatever broke, the log must be followed again
                log.warning(
                    "change feed lost (%s: %s); changes until it is back are not told", type(error).__name__, error
                )
            finally:
                self.connected.clear()
                connection.terminate()
            connection, slot = await self._reopen()
            self._reopened()

    async def _reopen(self) -> tuple[Connection, str]:
        wait = RETRY_FIRST
        while True:
            await asyncio.sleep(wait)
            try:
                opened = await self._open()
            except (DatabaseError, Unavailable, OSError) as error:
                log.warning("change feed still lost: %s", error)
                wait = min(wait * 2, RETRY_MOST)
            else:
                log.warning("change feed follows the log again")
                return opened

    async def _follow(self, connection: Connection, slot: str) -> None:
        while True:
            awaited = self._is_awaited()
            count = await self._read(connection, slot)
            if count < self._batch:
                await self._pause(self._poll if awaited else max(IDLE_POLL, self._poll))

    async def _read(self, connection: Connection, slot: str) -> int:
        rows = await connection.fetch(_READ, slot, self._batch)
        listened = self._listened()
        messages = [decode(row[0]) for row in rows if listened or row[0][0] == _TOLD]
        for message in messages:
            if isinstance(message, Told) and message.prefix == PREFIX:
                self._hear(message.content)
        if listened:
            await self._tell(connection, messages)
        return len(rows)

    async def _tell(self, connection: Connection, messages: list[Message]) -> None:
        for relation in relations(messages).values():
            await self._learn(connection, relation)
        changes = assemble(messages, self._tables)
        if changes:
            await self._deliver(connection, changes)

    def _is_awaited(self) -> bool:
        return self._listened() or self._pressed()

    async def _learn(self, connection: Connection, relation: Relation) -> None:
        """Asks the catalogue for a table that is new or has changed."""
        known = self._tables.get(relation.oid)
        if known is not None and known.relation == relation:
            return
        self._tables.pop(relation.oid, None)
        found = await connection.fetchrow(_TABLE, relation.oid)
        names = [column.name for column in relation.columns]
        if found is None or found["names"] != names:
            log.warning(
                "change feed: %s.%s was altered meanwhile; its changes are not told", relation.schema, relation.name
            )
            return
        key = tuple(names.index(name) for name in found["key_names"])
        readable = {role: tuple(at for at, name in enumerate(names) if name in found[role]) for role in _ROLES}
        readable = {role: positions for role, positions in readable.items() if len(positions) < len(names)}
        self._tables[relation.oid] = Table(
            relation, tuple(found["type_names"]), key, found["row_security"], found["visibility"] or "", readable
        )

    async def _pause(self, seconds: float) -> None:
        if self._is_awaited():
            self._wanted.clear()
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), seconds)
        self._wanted.clear()
