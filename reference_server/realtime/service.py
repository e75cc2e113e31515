"""Realtime as a whole: sockets on one side, the change feed on the other, subscriptions in between.

Half-open sockets are found by the ASGI server's own pings (RFC 6455 section 5.5.2). uvicorn's `websockets-sansio` sends
them: a ping `ws_ping_interval` after the last pong, and it drops the connection when none comes within
`ws_ping_timeout` (tests/reference_server/realtime/test_half_open.py proves it). Its older `websockets` implementation
pings as well, at a third more memory for each socket. Run the server with `websockets-sansio`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import Receive, Scope, Send

from reference_server.auth.tokens import TokenVerifier
from reference_server.db import Connection as DatabaseConnection
from reference_server.db import Database
from reference_server.realtime.binder import Binder
from reference_server.realtime.connection import Broadcast, Channel, Connection, Effect, Joined, Left
from reference_server.realtime.connection import Send as SendFrame
from reference_server.realtime.delivery import Seen, plan
from reference_server.realtime.feed import Feed
from reference_server.realtime.frames import encode
from reference_server.realtime.socket import Socket
from reference_server.realtime.subscriptions import Binding, SubscriptionIndex
from reference_server.realtime.tables import Change
from reference_server.realtime.upgrade import RefusedUpgrade, read_opening, refuse
from reference_server.sessions.liveness import Liveness
from reference_server.settings import Settings

PATH = "/realtime/v1/websocket"
_LONGEST_TIMER = 86_400.0
_GOING_AWAY = (1001, "the server stops")
_STOP_TIMEOUT = 5.0


@dataclass(slots=True, eq=False)
class Session:
    """One socket of this process with everything that belongs to it."""

    socket: Socket
    connection: Connection
    users: set[UUID] = field(default_factory=set)
    timers: dict[Channel, asyncio.TimerHandle] = field(default_factory=dict)


class Realtime:
    """Serves the Realtime wire on the routes that `routes` returns, between `start` and `stop`."""

    def __init__(self, settings: Settings, database: Database, verifier: TokenVerifier, liveness: Liveness) -> None:
        self._settings = settings
        self._verify: Callable[[str, float], Any] = verifier.verify
        self._liveness = liveness
        self._numbers = itertools.count(1)
        self._sessions: dict[int, Session] = {}
        self._topics: dict[str, dict[Channel, None]] = {}
        self._index: SubscriptionIndex[Channel] = SubscriptionIndex()
        self._empty = asyncio.Event()
        self._binder = Binder(database, self._bound, self._refused)
        self._feed = Feed(
            database,
            self._deliver,
            lambda: bool(self._index),
            poll=settings.feed_poll,
            batch=settings.feed_batch,
        )

    async def start(self) -> None:
        """Begins to follow the log; every change that is committed from now on is seen.

        Raises:
            Refused, Unavailable: PostgreSQL refuses a logical slot, or is gone.
        """
        await self._feed.start()
        self._binder.start()

    async def stop(self) -> None:
        """Closes the sockets that are still open and stops following the log. May be called twice."""
        for session in self._sessions.values():
            session.socket.close(*_GOING_AWAY)
        if self._sessions:
            self._empty.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), _STOP_TIMEOUT)
        await self._binder.stop()
        await self._feed.stop()

    def routes(self) -> list[BaseRoute]:
        """The WebSocket route of PROTOCOL 1.1."""
        return [WebSocketRoute(PATH, _Endpoint(self.serve))]

    @property
    def sockets(self) -> int:
        """How many sockets are open."""
        return len(self._sessions)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One socket from its upgrade to its end (an ASGI application)."""
        await receive()  # websocket.connect
        try:
            opening = read_opening(scope, self._verify, time.time)
        except RefusedUpgrade as refusal:
            await refuse(scope, send, refusal)
            return
        await send({"type": "websocket.accept"})
        number = next(self._numbers)
        stall = self._settings.ping_interval + self._settings.ping_timeout
        socket = Socket(number, receive, send, stall=stall)
        connection = Connection(number, opening.version, opening.apikey, self._verify, time.time)
        session = self._sessions[number] = Session(socket, connection)
        try:
            await socket.run(lambda text: self._take(session, text))
        finally:
            self._end(session)

    def broadcast(self, topic: str, event: str, payload: dict[str, Any]) -> None:
        """Tells all of this process who have joined `realtime:<topic>`, as a REST broadcast does (PROTOCOL 1.6)."""
        self._tell(f"realtime:{topic}", {"type": "broadcast", "event": event, "payload": payload})

    # ------------------------------------------------------------ from the sockets

    def _take(self, session: Session, text: str | bytes) -> None:
        for user in session.users:
            self._liveness.seen(user)
        self._apply(session, session.connection.receive(text))

    def _apply(self, session: Session, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SendFrame):
                session.socket.send(effect.frame)
            elif isinstance(effect, Joined):
                self._joined(session, effect.channel)
            elif isinstance(effect, Left):
                self._left(session, effect.channel)
            else:
                self._broadcast(effect)

    def _joined(self, session: Session, channel: Channel) -> None:
        self._topics.setdefault(channel.topic, {})[channel] = None
        user = channel.identity.user
        if user is not None and user not in session.users:
            session.users.add(user)
            self._liveness.socket_opened(user, session.socket.number)
        self._watch_expiry(session, channel)
        # The window between the join's reply and the subscription is part of the wire (PROTOCOL 1.4): a setting.
        if self._settings.subscribe_delay > 0:
            asyncio.get_running_loop().call_later(self._settings.subscribe_delay, self._binder.bind, channel)
        else:
            self._binder.bind(channel)

    def _left(self, session: Session, channel: Channel) -> None:
        self._index.remove(channel)
        members = self._topics.get(channel.topic, {})
        members.pop(channel, None)
        if not members:
            self._topics.pop(channel.topic, None)
        timer = session.timers.pop(channel, None)
        if timer is not None:
            timer.cancel()

    def _end(self, session: Session) -> None:
        self._apply(session, session.connection.close())
        number = session.socket.number
        for user in session.users:
            self._liveness.socket_closed(user, number)
        del self._sessions[number]
        if not self._sessions:
            self._empty.set()

    def _watch_expiry(self, session: Session, channel: Channel) -> None:
        former = session.timers.pop(channel, None)
        if former is not None:
            former.cancel()
        left = channel.identity.claims.expires_at - time.time()
        if left <= 0:
            self._apply(session, session.connection.expire(channel))
            return
        loop, delay = asyncio.get_running_loop(), min(left, _LONGEST_TIMER)
        session.timers[channel] = loop.call_later(delay, self._watch_expiry, session, channel)

    def _broadcast(self, effect: Broadcast) -> None:
        sender = effect.channel
        self._tell(sender.topic, effect.payload, besides=None if sender.echo else sender)

    def _tell(self, topic: str, payload: dict[str, Any], besides: Channel | None = None) -> None:
        frames: dict[str, str] = {}
        for channel in self._topics.get(topic, ()):
            if channel is besides:
                continue
            if channel.version not in frames:
                frames[channel.version] = encode(channel.version, topic, "broadcast", payload)
            self._sessions[channel.socket].socket.send(frames[channel.version])

    # ------------------------------------------------------------ from the database

    def _bound(self, channel: Channel, bindings: tuple[Binding, ...], since: int) -> None:
        session = self._sessions[channel.socket]
        self._index.replace(channel, bindings, since)
        self._feed.wake()
        self._apply(session, session.connection.subscribed(channel))

    def _refused(self, channel: Channel, message: str) -> None:
        session = self._sessions[channel.socket]
        self._index.remove(channel)
        self._apply(session, session.connection.refused(channel, message))

    async def _deliver(self, connection: DatabaseConnection, changes: list[Change]) -> None:
        work = plan(changes, self._index)
        seen: Seen = set()
        xids = work.xids
        for inquiry in work.inquiries:
            answers = await connection.fetch(inquiry.table.visibility, *inquiry.arguments(xids))
            seen.update(inquiry.seen(answers))
        for channel, frame in work.frames(seen):
            self._sessions[channel.socket].socket.send(frame)


class _Endpoint:
    """An ASGI application as Starlette's routes want it: an object that is no function."""

    def __init__(self, serve: Callable[[Scope, Receive, Send], Any]) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, send)
