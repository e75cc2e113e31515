"""Realtime as a whole: sockets on one side, the change feed on the other, rooms and subscriptions in between.

Half-open sockets are found by the ASGI server's own pings (RFC 6455 section 5.5.2). uvicorn's `websockets-sansio` sends
them: a ping `ws_ping_interval` after the last pong, and it drops the connection when none comes within
`ws_ping_timeout` (tests/reference_server/realtime/test_half_open.py proves it). Its older `websockets` implementation
pings as well, at a third more memory for each socket. Run the server with `websockets-sansio`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import Receive, Scope, Send

from reference_server.auth.tokens import TokenVerifier
from reference_server.db import Database, DatabaseError, Unavailable
from reference_server.plans import PLANS
from reference_server.realtime import connection as effects
from reference_server.realtime.authorizer import rights_in
from reference_server.realtime.binder import Binder
from reference_server.realtime.broadcast_routes import broadcast_routes
from reference_server.realtime.channel import Channel, room_of
from reference_server.realtime.cluster import Cluster
from reference_server.realtime.connection import Connection, Effect
from reference_server.realtime.feed import Feed
from reference_server.realtime.frames import Message, Payload
from reference_server.realtime.idle import Activity, sweep_interval
from reference_server.realtime.quotas import Quotas
from reference_server.realtime.rooms import Rooms
from reference_server.realtime.socket import Frames, Socket
from reference_server.realtime.subscriptions import Binding, SubscriptionIndex
from reference_server.realtime.tables import Change
from reference_server.realtime.teller import Teller
from reference_server.realtime.upgrade import RefusedUpgrade, parse_origins, read_opening, refuse
from reference_server.sessions.liveness import Liveness
from reference_server.settings import Settings
from reference_server.telemetry.request_id import response_headers

log = logging.getLogger(__name__)

PATH = "/realtime/v1/websocket"
NO_DATABASE = "DatabaseLackOfConnections: Database can't accept more connections, Realtime won't connect"
_LONGEST_TIMER = 86_400.0
_GOING_AWAY = (1001, "the server stops")
_STOP_TIMEOUT = 5.0


@dataclass(slots=True, eq=False)
class Session:
    """One socket of this process with everything that belongs to it."""

    socket: Socket
    connection: Connection
    activity: Activity
    users: tuple[UUID, ...] = ()


class Realtime:
    """Serves the Realtime wire on the routes that `routes` returns, between `start` and `stop`.

    `monotonic` is the clock of the rates, in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        verifier: TokenVerifier,
        liveness: Liveness,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._database = database
        self._verify: Callable[[str, float], Any] = verifier.verify
        self._liveness = liveness
        self._origins = parse_origins(settings.allowed_origins)
        self._numbers = itertools.count(1)
        self._sessions: dict[int, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._index: SubscriptionIndex[Channel] = SubscriptionIndex(replays=settings.replayed_seconds > 0)
        self._empty = asyncio.Event()
        self._stopping = False
        instance = secrets.token_hex(6)
        self.frames = Frames()
        self.quotas = Quotas(PLANS[settings.plan], monotonic, lambda: self._cluster.elsewhere)
        self._rooms = Rooms(instance, self.quotas, self._write, self._shut)
        self._cluster = Cluster(database, instance, self._rooms, lambda: self.quotas.users)
        self._teller = Teller(self._index, self.quotas, self._write, self._subscribed)
        self._binder = Binder(database, self._bound, self._refused, retry=settings.subscription_retry)
        self._feed = Feed(
            database,
            self._teller.deliver,
            self._index.listens,
            poll=settings.feed_poll,
            batch=settings.feed_batch,
            replay=settings.replayed_seconds,
            instance=instance,
            hear=self._cluster.hear,
            reopened=self._cluster.greet,
        )

    async def start(self) -> None:
        """Begins to follow the log; every change that is committed from now on is seen.

        Raises:
            Refused, Unavailable: PostgreSQL refuses a logical slot, or is gone.
        """
        await self._feed.start()
        self._binder.start()
        await self._cluster.start()
        self._spawn(self._sweep())

    async def close_sockets(self) -> None:
        """Closes the sockets that are open and those that come, and waits until they are gone; all else goes on."""
        self._stopping = True
        for session in self._sessions.values():
            session.socket.close(*_GOING_AWAY)
        if self._sessions:
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_TIMEOUT):
                    await self._empty.wait()

    async def stop(self) -> None:
        """Closes the sockets that are still open, tells the other instances what is to be told, and stops following the
        log. May be called twice."""
        await self.close_sockets()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._cluster.stop()
        await self._binder.stop()
        await self._feed.stop()

    def routes(self) -> list[BaseRoute]:
        """The WebSocket route of PROTOCOL 1.1, and the broadcasts over HTTP of 1.6."""
        return [
            WebSocketRoute(PATH, _Endpoint(self.serve)),
            *broadcast_routes(self._verify, self._database, self.quotas, self.tell),
        ]

    @property
    def sockets(self) -> int:
        """How many sockets are open."""
        return len(self._sessions)

    @property
    def subscriptions(self) -> int:
        """How many bindings on database changes are in force."""
        return len(self._index)

    @property
    def changes_skipped(self) -> int:
        """How many changes the plan's rate has kept from a channel so far."""
        return self.quotas.changes_skipped

    def measure(self, told: Callable[[Sequence[Change]], None]) -> None:
        """Has `told` called with changes that have just been pushed, in commit order."""
        self._feed.told = told

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One socket from its upgrade to its end (an ASGI application)."""
        await receive()  # websocket.connect
        try:
            opening = read_opening(scope, self._verify, time.time, self.quotas, self._origins)
        except RefusedUpgrade as refusal:
            await refuse(scope, send, refusal, self._settings.refusal_delay)
            return
        await send({"type": "websocket.accept", "headers": response_headers()})
        scope["headers"], scope["query_string"] = [], b""  # nobody asks again, and the server keeps the scope
        number = next(self._numbers)
        stall = self._settings.ping_interval + self._settings.ping_timeout
        socket = Socket(number, receive, send, stall=stall, frames=self.frames)
        apikey = sys.intern(opening.apikey)  # the same for most: thousands of sockets need not hold thousands of copies
        connection = Connection(
            number, opening.version, apikey, self._verify, time.time, self.quotas, self._settings.private_only
        )
        now = asyncio.get_running_loop().time()
        session = self._sessions[number] = Session(socket, connection, Activity(now, now))
        if self._stopping:
            socket.close(*_GOING_AWAY)
        try:
            await socket.run(lambda text: self._take(session, text))
        finally:
            self._end(session)

    def broadcast(self, topic: str, event: str, payload: dict[str, Any]) -> None:
        """Tells all who have joined `realtime:<topic>`, on any instance, as a REST broadcast does (PROTOCOL 1.6)."""
        room = room_of(topic, private=False)
        if self._cluster.others or self._rooms.has_members(room):
            self.tell(room, Payload({"type": "broadcast", "event": event, "payload": payload}))

    def tell(self, room: str, message: Message, besides: Channel | None = None) -> None:
        """Tells all in a room, here and on the other instances, but not `besides`."""
        self._rooms.tell(room, message, besides)
        self._cluster.tell_broadcast(room, message)

    # ------------------------------------------------------------ from the sockets

    def _take(self, session: Session, text: str | bytes) -> None:
        session.activity.heard_at = asyncio.get_running_loop().time()
        for user in session.users:
            self._liveness.seen(user)
        self._apply(session, session.connection.receive(text))

    def _apply(self, session: Session, made: list[Effect]) -> None:
        for effect in made:
            match effect:
                case effects.Send(frame):
                    session.socket.send(frame)
                case effects.SendLate(frame):
                    asyncio.get_running_loop().call_later(self._settings.join_error_delay, session.socket.send, frame)
                case effects.Close(code, reason):
                    session.socket.close(code, reason, after_queue=True)
                case effects.Authorize(channel):
                    self._spawn(self._authorize(session, channel))
                case effects.Joined(channel):
                    self._joined(session, channel)
                case effects.Left(channel):
                    self._left(session, channel)
                case effects.Broadcast(channel, message):
                    self.tell(channel.room, message, None if channel.echo else channel)
                case effects.ShowPresence(channel):
                    session.socket.send(session.connection.presence_state(channel, self._rooms.state(channel.room)))
                case effects.Track(channel, meta):
                    self._cluster.tell_track(*self._rooms.track(channel, meta))

    def _joined(self, session: Session, channel: Channel) -> None:
        session.activity.channelless_since = None
        self._rooms.enter(channel)
        user = channel.identity.user
        if user is not None and user not in session.users:
            session.users += (user,)
            self._liveness.socket_opened(user, session.socket.number)
        self._watch_expiry(session, channel)
        # The window between the join's reply and the subscription is part of the wire (PROTOCOL 1.4): a setting.
        if self._settings.subscribe_delay > 0:
            asyncio.get_running_loop().call_later(self._settings.subscribe_delay, self._binder.bind, channel)
        else:
            self._binder.bind(channel)

    def _left(self, session: Session, channel: Channel) -> None:
        self._index.remove(channel)
        if self._rooms.leave(channel):
            self._cluster.tell_track(*self._rooms.track(channel, None))
        _cancel_timer(channel)
        if not session.connection.channels:
            session.activity.channelless_since = asyncio.get_running_loop().time()

    def _end(self, session: Session) -> None:
        self._apply(session, session.connection.close())
        number = session.socket.number
        self.quotas.gone(number)
        for user in session.users:
            self._liveness.socket_closed(user, number)
        del self._sessions[number]
        if not self._sessions:
            self._empty.set()

    def _watch_expiry(self, session: Session, channel: Channel) -> None:
        _cancel_timer(channel)
        left = channel.identity.claims.expires_at - time.time()
        if left <= 0:
            self._apply(session, session.connection.expire(channel))
            return
        loop, delay = asyncio.get_running_loop(), min(left, _LONGEST_TIMER)
        channel.expiry = loop.call_later(delay, self._watch_expiry, session, channel)

    async def _authorize(self, session: Session, channel: Channel) -> None:
        identity = channel.identity
        try:
            rights = await rights_in(self._database, identity.claims, channel.name)
        except (Unavailable, DatabaseError, OSError) as error:
            log.warning("a private channel could not be judged: %s", error)
            self._apply(session, session.connection.refuse(channel, NO_DATABASE))
            return
        if channel.identity is identity:  # else a newer token is being judged
            self._apply(session, session.connection.authorized(channel, rights))

    async def _sweep(self) -> None:
        """Closes the sockets that have been silent or without a channel for too long."""
        silence, channelless = self._settings.socket_idle_timeout, self._settings.channelless_timeout
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(sweep_interval((silence, channelless)))
            now = loop.time()
            for session in tuple(self._sessions.values()):
                verdict = session.activity.verdict(now, silence, channelless)
                if verdict is not None:
                    session.socket.close(*verdict)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ------------------------------------------------------------ towards the sockets

    def _write(self, channel: Channel, frame: str | bytes) -> None:
        self._sessions[channel.socket].socket.send(frame)

    def _shut(self, channel: Channel, message: str) -> None:
        session = self._sessions[channel.socket]
        self._apply(session, session.connection.shut(channel, message))

    def _bound(self, channel: Channel, bindings: tuple[Binding, ...], since: int) -> None:
        channel.bindings = bindings  # the values as PostgreSQL writes them; the client's own are not needed again
        if self._teller.subscribe(channel, bindings, since, self._feed):
            self._spawn(self._teller.replay(self._feed))

    def _subscribed(self, channel: Channel) -> None:
        session = self._sessions[channel.socket]
        self._apply(session, session.connection.subscribed(channel))

    def _refused(self, channel: Channel, message: str) -> None:
        session = self._sessions[channel.socket]
        self._index.remove(channel)
        self._apply(session, session.connection.refused(channel, message))


def _cancel_timer(channel: Channel) -> None:
    if channel.expiry is not None:
        channel.expiry.cancel()
        channel.expiry = None


class _Endpoint:
    """An ASGI application as Starlette's routes want it: an object that is no function."""

    def __init__(self, serve: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._serve = serve

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._serve(scope, receive, send)
