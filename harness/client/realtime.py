"""A Realtime socket: one task that reads, beats, reconnects and rejoins, for one user."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import cast

from websockets.asyncio.client import connect
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response

from harness.client.dialect import LinkObserver, NotAdmitted, NotReached
from harness.client.direct import DirectConnection
from harness.protocol.channel import Channel, Closed, Happening, Joined, Ready, Refused
from harness.protocol.malformed import Malformed
from harness.protocol.phoenix import HEARTBEAT_TOPIC, Frame, Vsn, decode, encode, heartbeat
from harness.protocol.retry import rejoin_delay, retry_after

log = logging.getLogger(__name__)

OPEN_TIMEOUT = 10.0
OPEN_TRIES = 4
OPEN_PATIENCE = 30.0
"""How often a rate-limited upgrade is tried, and the longest single wait for it in seconds."""
PUSH_TIMEOUT = 10.0
"""How long a join or a heartbeat may stay unanswered before the client acts (PROTOCOL 1.9)."""
MAX_FRAME = 5_000_000

_UPGRADED = Response(101, "Switching Protocols", Headers())

_UNREACHED = (OSError, InvalidHandshake, ConnectionClosed, TimeoutError)
"""How an attempt to connect ends that came to nothing; a reset in the middle of the handshake is a ConnectionClosed."""

Hear = Callable[[Happening], None]


class Subscription:
    """A channel of a socket, with who hears of it and when it acts next by itself.

    Args:
        channel: the state machine of the topic.
        hear: called with whatever happens to the channel.
        asked: called when a join goes out.
        lost: called with a reason when the socket breaks.
    """

    __slots__ = ("act_at", "asked", "attempt", "channel", "hear", "joining", "lost", "settled")

    def __init__(self, channel: Channel, hear: Hear, asked: Callable[[], None], lost: Callable[[str], None]) -> None:
        self.channel = channel
        self.hear = hear
        self.asked = asked
        self.lost = lost
        self.settled = asyncio.Event()
        """The first join was answered, refused or given up."""
        self.attempt = 0
        self.joining = False
        self.act_at: float | None = None
        """Loop time of the next rejoin, or of giving up on the join that is under way."""


class Socket:
    """A WebSocket to Realtime that keeps itself open until it is closed (PROTOCOL 1.1 to 1.9).

    Args:
        url: the address with `apikey` and `vsn`.
        vsn: the frame version that the address names.
        token: gives the access token for a join.
        beat: seconds between heartbeats.
        observer: hears of heartbeats, losses and returns.
    """

    def __init__(self, url: str, *, vsn: Vsn, token: Callable[[], str], beat: float, observer: LinkObserver) -> None:
        self._url = url
        self._vsn = vsn
        self._token = token
        self._beat = beat
        self._observer = observer
        self._wire: DirectConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._alarm: asyncio.Timeout | None = None
        self._subscriptions: dict[str, Subscription] = {}
        self._beats: dict[str, tuple[float, object]] = {}
        self._next_beat = 0.0
        self._last_ref = 0
        self._told_token = token()
        self._frozen = False
        self._failure: Exception | None = None

    @property
    def connected(self) -> bool:
        """Whether the connection stands, as far as we know."""
        return self._wire is not None and not self._frozen

    async def open(self) -> None:
        """Connects, and starts the one task.

        Raises:
            NotAdmitted: the target refuses the upgrade, or cannot be reached (NotReached).
        """
        if self._task is not None:
            return
        self._wire = await self._first_connect()
        self._frozen = False
        self._schedule_beats()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="realtime socket")

    async def subscribe(self, subscription: Subscription) -> None:
        """Joins a channel; returns once the first join is answered, refused or given up.

        While the socket is away the join waits for its return, and this call for no longer than a join may take.
        """
        self._subscriptions[subscription.channel.topic] = subscription
        if self._wire is not None:
            self._join(subscription)
        given_up = asyncio.get_running_loop().call_later(PUSH_TIMEOUT, subscription.settled.set)
        try:
            await subscription.settled.wait()
        finally:
            given_up.cancel()

    async def leave(self, subscription: Subscription) -> None:
        """Leaves a channel; its frames are ignored from now on. May be called twice."""
        topic = subscription.channel.topic
        if self._subscriptions.get(topic) is not subscription:
            return
        del self._subscriptions[topic]
        subscription.settled.set()
        self._send(subscription.channel.leave(self._ref()))

    def cut(self) -> None:
        """Drops the TCP connection without a closing handshake; the task notices, and reconnects as it always does."""
        if self._wire is not None and not self._frozen:
            self._wire.transport.abort()

    def freeze(self) -> None:
        """Stops reading and answering, pings too, and leaves the TCP connection open."""
        self._frozen = True
        if self._task is not None:
            self._task.cancel()
        if self._wire is not None:
            self._wire.transport.pause_reading()

    async def close(self) -> None:
        """Closes the connection and ends the task; a frozen connection is cut. May be called twice."""
        task, self._task = self._task, None
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.hear = None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if wire is not None and self._frozen:
            wire.transport.abort()
        if wire is not None:
            await wire.close(1001, "going away")
        for subscription in self._subscriptions.values():
            subscription.settled.set()
        self._subscriptions.clear()
        if task is not None and not task.cancelled():
            task.result()  # it never ends by itself: an error of ours must not be lost
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    # ------------------------------------------------------------ the one task

    async def _run(self) -> None:
        attempt = 1
        while True:
            reason = await self._converse()
            self._drop(reason)
            while self._wire is None:
                await asyncio.sleep(rejoin_delay(attempt))
                attempt += 1
                with suppress(*_UNREACHED):
                    self._wire = await self._connect()
            attempt = 1
            self._schedule_beats()
            self._observer.link_back()
            for subscription in list(self._subscriptions.values()):
                self._join(subscription)

    async def _converse(self) -> str:
        """Reads, and does what is due, until the connection ends; returns why it ended.

        The alarm goes off when something of our own is due. What is put off meanwhile leaves it as it is: it then goes
        off for nothing, once. What is due earlier moves it (`_act_at`).
        """
        wire = self._wire
        assert wire is not None  # noqa: S101 — the task starts with a connection
        wire.hear = self._hear
        while True:
            try:
                async with asyncio.timeout_at(self._due()) as self._alarm:
                    while True:
                        self._take(await wire.next_queued())
            except TimeoutError:
                if not self._act():
                    await wire.close(1000, "heartbeat timeout")
                    return "heartbeat timeout"
            except ConnectionClosed as closed:
                return f"socket closed: {closed.rcvd.code if closed.rcvd else 1006}"
            finally:
                self._alarm = None

    def _hear(self, text: bytes) -> None:
        """Takes a frame at the moment when it comes; an error of ours ends the connection, and is raised at the end."""
        try:
            if not self._frozen:
                self._take(text)
        except Exception as error:  # noqa: BLE001  whatever it is, it must come up in `close`
            self._failure = self._failure or error
            if self._wire is not None:
                self._wire.transport.abort()

    def _take(self, text: str | bytes) -> None:
        try:
            frame = decode(text, self._vsn)
            if frame.topic == HEARTBEAT_TOPIC:
                self._beaten(frame)
                return
            subscription = self._subscriptions.get(frame.topic)
            happening = subscription.channel.take(frame) if subscription else None
        except Malformed as error:
            log.warning("a frame was dropped: %s", error)
            return
        if subscription is not None and happening is not None:
            self._happened(subscription, happening)

    def _happened(self, subscription: Subscription, happening: Happening) -> None:
        if isinstance(happening, Joined | Refused | Closed):
            subscription.joining = False
            subscription.act_at = None
            subscription.settled.set()
        if isinstance(happening, Ready):
            subscription.attempt = 0
        if isinstance(happening, Refused) and happening.retry:
            self._rejoin_later(subscription)
        try:
            subscription.hear(happening)
        except Malformed as error:
            log.warning("a row was dropped: %s", error)

    # ------------------------------------------------------------ what is due

    def _due(self) -> float:
        times = [subscription.act_at for subscription in self._subscriptions.values() if subscription.act_at]
        return min([self._next_beat, *times])

    def _act(self) -> bool:
        """Does what is due now. False when the target does not answer heartbeats any more."""
        now = asyncio.get_running_loop().time()
        for subscription in list(self._subscriptions.values()):
            if subscription.act_at is None or subscription.act_at > now:
                continue
            if subscription.joining:
                self._give_up(subscription)
            else:
                self._join(subscription)
        if self._next_beat > now:
            return True
        if any(now - sent >= max(self._beat, PUSH_TIMEOUT) for sent, _ in self._beats.values()):
            return False
        self._next_beat = now + self._beat
        self._renew()
        ref = self._ref()
        self._beats[ref] = (now, self._observer.beat_sent())
        self._send(heartbeat(ref))
        return True

    def _renew(self) -> None:
        """Tells every channel a token that was refreshed since it was last told (PROTOCOL 1.6)."""
        token = self._token()
        if token != self._told_token:
            self._told_token = token
            for subscription in list(self._subscriptions.values()):
                self._send(subscription.channel.renew(self._ref(), token))

    def _beaten(self, frame: Frame) -> None:
        beat = self._beats.pop(frame.ref or "", None)
        if beat is not None:
            self._observer.beat_answered(beat[1])

    def _schedule_beats(self) -> None:
        self._beats.clear()
        self._next_beat = asyncio.get_running_loop().time() + self._beat

    def _give_up(self, subscription: Subscription) -> None:
        """No reply to a join: nobody can tell what became of it, so it is tried again later."""
        subscription.joining = False
        subscription.settled.set()
        subscription.lost("no reply to the join")
        self._rejoin_later(subscription)

    def _rejoin_later(self, subscription: Subscription) -> None:
        subscription.attempt += 1
        self._act_at(subscription, rejoin_delay(subscription.attempt))

    def _act_at(self, subscription: Subscription, delay: float) -> None:
        subscription.act_at = asyncio.get_running_loop().time() + delay
        due, alarm = subscription.act_at, self._alarm
        if alarm is not None and not alarm.expired() and due < (alarm.when() or math.inf):
            alarm.reschedule(due)

    # ------------------------------------------------------------ the wire

    async def _connect(self) -> DirectConnection:
        wire = await connect(
            self._url, compression=None, open_timeout=OPEN_TIMEOUT, ping_interval=None, close_timeout=2,
            max_size=MAX_FRAME, proxy=None, create_connection=DirectConnection,
        )  # fmt: skip
        wire.request, wire.response = None, _UPGRADED  # the headers of thousands of handshakes are 4 KB each
        return cast("DirectConnection", wire)

    async def _first_connect(self) -> DirectConnection:
        """Connects; a target that is too busy (429) is asked again a few times, as the official client does."""
        for attempt in range(1, OPEN_TRIES + 1):
            try:
                return await self._connect()
            except InvalidStatus as error:
                response = error.response
                if response.status_code != 429 or attempt == OPEN_TRIES:
                    body = (response.body or b"").decode(errors="replace")[:200]
                    raise NotAdmitted(f"the socket was refused: {response.status_code} {body}".rstrip()) from error
                wait = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            except _UNREACHED as error:
                raise NotReached(f"the socket cannot be opened: {str(error) or type(error).__name__}") from error
            await asyncio.sleep(rejoin_delay(attempt) if wait is None else min(wait, OPEN_PATIENCE))
        raise AssertionError("the last try returns or raises")

    def _join(self, subscription: Subscription) -> None:
        subscription.joining = True
        subscription.asked()
        self._act_at(subscription, PUSH_TIMEOUT)
        self._send(subscription.channel.join(self._ref(), self._token()))

    def _send(self, frame: Frame) -> None:
        """Sends a frame; on a broken connection it is lost, and the reading side learns why."""
        if self._wire is not None and not self._frozen:
            self._wire.say(encode(frame, self._vsn))

    def _drop(self, reason: str) -> None:
        self._wire = None
        self._observer.link_lost(reason)
        for subscription in self._subscriptions.values():
            subscription.act_at = None
            subscription.joining = False
            subscription.attempt = 0
            subscription.lost(reason)

    def _ref(self) -> str:
        self._last_ref += 1
        return str(self._last_ref)
