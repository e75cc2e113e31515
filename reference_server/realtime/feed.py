"""Follows the write-ahead log through a temporary logical slot and hands out changes in commit order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final

from reference_server.db import Connection, Database, DatabaseError, LogLost, LogStream, Refused, Unavailable
from reference_server.realtime.changes import assemble
from reference_server.realtime.cluster import PREFIX
from reference_server.realtime.pgoutput import Message, Relation, Told, decode, relation_of
from reference_server.realtime.recent import Inserted, Recent
from reference_server.realtime.tables import Change, Table

log = logging.getLogger(__name__)

Deliver = Callable[[Connection, list[Change]], Awaitable[None]]
"""Tells a batch of changes; may ask PostgreSQL on the connection given. What it raises counts as a lost connection."""
Listened = Callable[[str, str], bool]
"""Whether somebody has subscribed to changes of the table of that schema and name."""
Hear = Callable[[bytes], None]
"""Takes what another instance has written into the log for us."""

PUBLICATION = "supabase_realtime"
RETRY_FIRST, RETRY_MOST = 0.1, 2.0

_TABLE = "select t.*, gurukul.realtime_prepare($1) as visibility from gurukul.realtime_table($1) t"
_ROLES = ("anon", "authenticated")
_BEGIN, _COMMIT, _RELATION, _TOLD, _INSERT = b"BCRMI"
_CHANGES = frozenset(b"IUD")


class Feed:
    """Follows the log for as long as it is started.

    A lost connection is made again with a new slot: what was committed in between is told to nobody, as with the real
    server, and logged. Changes are gathered for `poll` seconds (0: none wait) and told in batches of about `batch`;
    those of a table that is not `listened` to are not even decoded. `recent` keeps the insertions of the last `replay`
    seconds; None where that is 0. `hear` is given what `gurukul.realtime_tell` wrote; `reopened` is called when the log
    is followed again after a loss. The slot is named for the `instance`.
    """

    def __init__(
        self,
        database: Database,
        deliver: Deliver,
        listened: Listened,
        *,
        poll: float,
        batch: int,
        replay: float = 0.0,
        instance: str = "",
        hear: Hear = lambda _content: None,
        reopened: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._hand_out = deliver
        self.told: Callable[[list[Change]], None] = lambda _changes: None
        """Is called with changes that have just been delivered. Set by who measures."""
        self._listened = listened
        self._hear = hear
        self._reopened = reopened
        self._slot = f"gurukul_{instance or secrets.token_hex(6)}"
        self._opened = 0
        self._poll: Final = poll
        self._batch: Final = batch
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._asking: Connection | None = None
        self.recent: Final = Recent(replay) if replay else None
        self._relations: dict[int, Relation] = {}
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
            stream, connection = await self._open()
        except DatabaseError as error:
            remedy = "raise max_replication_slots and max_wal_senders, or end other servers on this PostgreSQL"
            raise Refused(f"the change feed has no replication slot ({error})", remedy) from error
        self._task = asyncio.create_task(self._run(stream, connection), name="realtime-feed")

    async def stop(self) -> None:
        """Stops following and lets the slot go. May be called twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def between(self, work: Callable[[Connection], Awaitable[None]]) -> None:
        """Does work between two batches, on the feed's connection: what is told before and after is in order.

        Raises:
            Unavailable: the log is not being followed.
        """
        async with self._turn:
            if self._asking is None:
                raise Unavailable("the change feed is lost")
            await work(self._asking)

    async def changes_of(self, connection: Connection, kept: Iterable[Inserted]) -> dict[Inserted, Change]:
        """Insertions that `recent` keeps, with their changes; those of a table that was altered since are left out."""
        current = [one for one in kept if self._relations.get(one.relation.oid) == one.relation]
        await self._learn(connection, {one.relation.oid for one in current})
        return {one: one.change(table) for one in current if (table := self._tables.get(one.relation.oid)) is not None}

    async def _open(self) -> tuple[LogStream, Connection]:
        self._opened += 1
        connection = await self._database.dedicated()
        try:
            stream = await self._database.follow_log(f"{self._slot}_{self._opened}", PUBLICATION)
        except BaseException:
            connection.terminate()
            raise
        self._relations.clear()
        self._tables.clear()
        if self.recent is not None:
            self.recent.clear()
        self.connected.set()
        return stream, connection

    async def _run(self, stream: LogStream, connection: Connection) -> None:
        while True:
            self._asking = connection
            try:
                await self._follow(stream, connection)
            except Exception as error:  # noqa: BLE001 — the rim of the task: whatever broke, the log must be followed again
                log.warning(
                    "change feed lost (%s: %s); changes until it is back are not told", type(error).__name__, error
                )
            finally:
                self._asking = None
                self.connected.clear()
                stream.close()
                connection.terminate()
            stream, connection = await self._reopen()
            self._reopened()

    async def _reopen(self) -> tuple[LogStream, Connection]:
        wait = RETRY_FIRST
        while True:
            await asyncio.sleep(wait)
            try:
                opened = await self._open()
            except (DatabaseError, Unavailable, LogLost, OSError) as error:
                log.warning("change feed still lost: %s", error)
                wait = min(wait * 2, RETRY_MOST)
            else:
                log.warning("change feed follows the log again")
                return opened

    async def _deliver(self, connection: Connection, changes: list[Change]) -> None:
        await self._hand_out(connection, changes)
        self.told(changes)

    async def _follow(self, stream: LogStream, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        begun: list[bytes] = []
        while True:
            begun += await stream.take()
            due, told = loop.time() + self._poll, False
            for batch in whole_transactions(begun, self._batch):
                told = await self._tell(connection, batch) or told
            pause = due - loop.time()
            if pause > 0 and told:
                await asyncio.sleep(pause)

    async def _tell(self, connection: Connection, batch: list[bytes]) -> bool:
        """Tells what is wanted of a batch; whether there was any."""
        async with self._turn:
            messages = self._read(batch)
            if messages:
                await self._learn(connection, {oid for one in messages if (oid := getattr(one, "relation", None))})
                changes = assemble(messages, self._tables)
                if changes:
                    await self._deliver(connection, changes)
            return bool(messages)

    def _read(self, batch: list[bytes]) -> list[Message]:
        """The changes that somebody listens to, with the beginnings of their transactions; keeps, notes and hears."""
        wanted: list[Message] = []
        begin = begun = b""
        now = asyncio.get_running_loop().time()
        for data in batch:
            kind = data[0]
            if kind == _BEGIN:
                begin = data
            elif kind in _CHANGES:
                relation = self._relations[relation_of(data)]
                if kind == _INSERT and self.recent is not None:
                    self.recent.add(relation, begin, data, now)
                if self._listened(relation.schema, relation.name):
                    if begin is not begun:
                        wanted.append(decode(begin))
                        begun = begin
                    wanted.append(decode(data))
            elif kind in {_RELATION, _TOLD}:
                self._note(decode(data))
        return wanted

    def _note(self, message: Message) -> None:
        """A relation is described before its first change; what another instance tells comes between the changes."""
        if isinstance(message, Relation):
            self._relations[message.oid] = message
            self._tables.pop(message.oid, None)
        elif isinstance(message, Told) and message.prefix == PREFIX:
            self._hear(message.content)

    async def _learn(self, connection: Connection, oids: set[int]) -> None:
        """Asks the catalogue for those of the tables that are new or were altered."""
        for oid in oids - self._tables.keys():
            relation = self._relations[oid]
            table = await self._ask(connection, relation)
            if table is None:
                log.warning("change feed: %s.%s is being altered; changes are not told", relation.schema, relation.name)
            else:
                self._tables[oid] = table

    async def _ask(self, connection: Connection, relation: Relation) -> Table | None:
        found = await connection.fetchrow(_TABLE, relation.oid)
        names = [column.name for column in relation.columns]
        if found is None or found["names"] != names:
            return None
        key = tuple(names.index(name) for name in found["key_names"])
        readable = {role: tuple(at for at, name in enumerate(names) if name in found[role]) for role in _ROLES}
        readable = {role: positions for role, positions in readable.items() if len(positions) < len(names)}
        types, visibility = tuple(found["type_names"]), found["visibility"] or ""
        return Table(relation, types, key, found["row_security"], visibility, readable)


def whole_transactions(messages: list[bytes], batch: int) -> Iterator[list[bytes]]:
    """Takes whole transactions out of the messages, about `batch` changes at a time; what has no end yet stays."""
    start = changes = 0
    end = 0
    for at, message in enumerate(messages):
        changes += message[0] in _CHANGES
        if message[0] == _COMMIT:
            end = at + 1
            if changes >= batch:
                yield messages[start:end]
                start, changes = end, 0
    if start < end:
        yield messages[start:end]
    del messages[:end]
