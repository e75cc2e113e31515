"""Carries broadcasts and presence between the instances on one database, in messages of the write-ahead log.

Every instance's change feed sees them, in one order, and no row is written. An instance is there for as long as its
replication slot is (the slot ends with its connection, so that PostgreSQL itself tells who has died), and whoever comes
new asks the others what they know before he serves anybody.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from reference_server.db import Database
from reference_server.realtime.frames import Message, Payload, UserBroadcast
from reference_server.realtime.presence import Entry
from reference_server.realtime.rooms import Rooms

log = logging.getLogger(__name__)

PREFIX = "gurukul"
BEAT = 1.0
"""Seconds between two looks at who is there."""
GREETING = 3.0
"""Seconds that an instance waits at its start for what the others know."""
MAX_WAITING = 20_000
MAX_BATCH = 500
MAX_BYTES = 16_000_000
"""Of one message of the log: far below what PostgreSQL takes at once."""
FAREWELL = 5.0
"""Seconds that an instance which stops takes at most to tell what waits."""
_TELL = "select gurukul.realtime_tell($1)"
_INSTANCES = "select gurukul.realtime_instances()"


class Cluster:
    """This instance among the others. What it tells while it is alone goes nowhere.

    `users` is asked for the number of sockets here that have joined; `elsewhere` is that of all the others.
    """

    def __init__(self, database: Database, instance: str, rooms: Rooms, users: Callable[[], int]) -> None:
        self._database = database
        self._instance: Final = instance
        self._rooms = rooms
        self._users = users
        self._others: dict[str, int] = {}
        self._silent: set[str] = set()
        self._answered = asyncio.Event()
        self._waiting: list[bytes] = []
        self._work = asyncio.Event()
        self._told_users = 0
        self._look_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def others(self) -> bool:
        """Whether there are other instances."""
        return bool(self._others)

    @property
    def elsewhere(self) -> int:
        """Sockets of the other instances that have joined a channel, as they last said."""
        return sum(self._others.values())

    async def start(self) -> None:
        """Greets the others and waits, for a moment at most, until each has said what it knows.

        To be called when the change feed follows the log. Raises Unavailable or DatabaseError.
        """
        await self._look()
        self._silent = set(self._others)
        self._task = asyncio.create_task(self._run(), name="realtime-cluster")
        self.greet()
        if self._silent:
            try:
                async with asyncio.timeout(GREETING):
                    await self._answered.wait()
            except TimeoutError:
                log.warning("other instances have not answered: %s", ", ".join(sorted(self._silent)))

    async def stop(self) -> None:
        """Ends the work when what waits has been told. May be called twice."""
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping = True
        self._work.set()
        await asyncio.wait({task}, timeout=FAREWELL)
        if task.cancel():
            await asyncio.wait({task})
        if self._waiting:
            log.warning("the other instances are not told of %d things any more", len(self._waiting))

    # ------------------------------------------------------------ telling

    def greet(self) -> None:
        """Tells the others all that is known here and asks for the same: at the start, and after a loss of the log."""
        self._say(["hello"])
        self._say(self._state())

    def tell_broadcast(self, room: str, message: Message) -> None:
        """Tells the others of a broadcast."""
        if self._others:
            self._say(["broadcast", room, *_pack(message)])

    def tell_track(self, room: str, number: int, entry: Entry | None) -> None:
        """Tells the others that somebody here is present, or not any more."""
        if self._others:
            self._say(["track", room, number, *((entry.key, entry.meta) if entry else (None, None))])

    def _state(self) -> list[Any]:
        entries = [(room, number, entry.key, entry.meta) for room, number, entry in self._rooms.own_entries()]
        return ["state", self._users(), entries]

    def _say(self, item: Any) -> None:
        if len(self._waiting) >= MAX_WAITING:
            log.warning("the other instances are not told of %d things: the database does not take them", MAX_WAITING)
            self._waiting.clear()
        try:
            self._waiting.append(orjson.dumps(item))
        except TypeError as error:  # deeper than what can be written: whoever takes it in should have seen to it
            log.error("the other instances are not told of a %s: %s", item[0], error)
            return
        self._work.set()

    # ------------------------------------------------------------ hearing

    def hear(self, content: bytes) -> None:
        """Takes a message of the log. A thing in it that cannot be read is logged and dropped, the others are taken."""
        try:
            sender, (*items,) = orjson.loads(content)
        except (ValueError, TypeError) as error:
            log.warning("a message of another instance could not be read: %s", error)
            return
        for item in items if sender != self._instance else ():
            try:
                self._take(sender, *item)
            except (ValueError, TypeError, KeyError) as error:
                log.warning("what another instance told could not be read: %s", error)

    def _take(self, sender: str, kind: str, *parts: Any) -> None:
        if kind == "hello":
            self._others.setdefault(sender, 0)
            self._say(self._state())
        elif kind == "state":
            users, entries = parts
            self._others[sender] = users
            self._rooms.hear_state(sender, _entries(entries))
            self._heard_from(sender)
        elif kind == "users":
            self._others[sender] = parts[0]
        elif kind == "broadcast":
            room, *packed = parts
            self._rooms.tell(room, _unpack(*packed))
        elif kind == "track" and sender in self._others:
            room, number, key, meta = parts
            self._rooms.hear_track(sender, room, number, None if meta is None else Entry(key, meta))

    def _heard_from(self, instance: str) -> None:
        self._silent.discard(instance)
        if not self._silent:
            self._answered.set()

    # ------------------------------------------------------------ the task

    async def _run(self) -> None:
        while True:
            try:
                await self._turn()
            except Exception as error:  # noqa: BLE001 — the rim of the task: if it ended, nobody would ever be told again
                log.warning("the other instances cannot be told (%s: %s)", type(error).__name__, error)
                if self._stopping:
                    return
                await asyncio.sleep(BEAT)
            if self._stopping and not self._waiting:
                return

    async def _turn(self) -> None:
        # Not wait_for: before Python 3.12 it may swallow a cancellation that comes together with the work.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEAT):
                await self._work.wait()
        self._work.clear()
        loop = asyncio.get_running_loop()
        if loop.time() >= self._look_at:
            self._look_at = loop.time() + BEAT
            await self._look()
            if self._others and self._users() != self._told_users:
                self._told_users = self._users()
                self._say(["users", self._told_users])
        await self._tell()

    async def _tell(self) -> None:
        """Tells all that waits; what could not be told waits on."""
        while self._waiting:
            items = _batch(self._waiting)
            del self._waiting[: len(items)]
            message = b'["%b",[%b]]' % (self._instance.encode(), b",".join(items))
            try:
                async with self._database.connection() as connection:
                    await connection.execute(_TELL, message)
            except BaseException:
                self._waiting[:0] = items
                raise

    async def _look(self) -> None:
        """Notes who is there; those who are gone take their presence with them."""
        async with self._database.connection() as connection:
            there = {row[0] for row in await connection.fetch(_INSTANCES)} - {self._instance}
        for gone in self._others.keys() - there:
            log.info("instance %s is gone", gone)
            del self._others[gone]
            self._rooms.hear_state(gone, ())
            self._heard_from(gone)
        for new in there - self._others.keys():
            self._others[new] = 0


def _batch(waiting: list[bytes]) -> list[bytes]:
    """As many of the first as one message carries, one at least."""
    items, size = waiting[:MAX_BATCH], 0
    for number, item in enumerate(items):
        size += len(item)
        if size > MAX_BYTES:
            return items[: max(1, number)]
    return items


def _entries(packed: list[Any]) -> Iterable[tuple[str, int, Entry]]:
    return ((room, number, Entry(key, meta)) for room, number, key, meta in packed)


def _pack(message: Message) -> tuple[Any, ...]:
    if isinstance(message, Payload):
        return (message.body,)
    return (message.event, message.json, base64.b64encode(message.payload).decode())


def _unpack(*packed: Any) -> Message:
    if len(packed) == 1:
        return Payload(packed[0])
    event, json, payload = packed
    return UserBroadcast(event, base64.b64decode(payload), json)
