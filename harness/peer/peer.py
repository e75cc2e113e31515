"""One end of a WebRTC connection: aiortc made to behave as the document's browser client (sections 3 and 7)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from enum import StrEnum
from typing import Any, Self

from harness.peer.attempt import Attempt
from harness.peer.connection import Connection
from harness.peer.heartbeat import Heartbeat
from harness.peer.media import Media
from harness.peer.ports import Incoming, Network, SignalPort
from harness.peer.quality import Quality
from harness.peer.result import PeerResult
from harness.peer.spans import Spans
from harness.peer.stage import Role, Stage
from harness.peer.trickle import rank_of

__all__ = ["Media", "Peer", "PeerResult", "PeerState", "connect_peer"]

_LINGER = 1.0
"""How long a closing offerer waits for the last message of the exchange, in seconds."""


class PeerState(StrEnum):
    """RTCPeerConnectionState of W3C WebRTC 4.3.3, as a browser would tell it."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    """Three heartbeats had no answer; aiortc itself has no such state."""
    FAILED = "failed"
    CLOSED = "closed"


class Peer:
    """A headless peer with one data channel, and media where asked for. An async context manager; else close it.

    `connect` makes the connection; `presence.stay` then keeps an eye on it, for as long as the session lasts.

    Args:
        role: whether it offers or answers. Where both sides offer, one of them becomes the answerer.
        network: where it gathers candidates, and which servers it may ask.
        clock: monotonic seconds; that of the running loop if none is given (a virtual network has a virtual one).
        media: what it sends besides data, and expects to hear.
        matched: when the match was seen, on that clock; now if none is given.
        polite: whether it yields when both sides offer. None: the side with the smaller fingerprint does (of peers of
            one process, which share theirs: with the smaller ICE password), which both can tell; a browser cannot, so
            beside one this must be given.
        relay_only: use relay candidates alone.
    """

    def __init__(
        self, role: Role, network: Network, clock: Callable[[], float] | None = None, *, media: Media = Media.NONE,
        matched: float | None = None, polite: bool | None = None, relay_only: bool = False,
    ) -> None:  # fmt: skip
        self.clock = clock or asyncio.get_running_loop().time
        self.state = PeerState.NEW
        self.changed: Callable[[PeerState], None] = lambda _: None
        """Is called with each new state."""
        self.ended = asyncio.Event()
        """Set when the session is known to be over, or this peer leaves."""
        self.heartbeat = Heartbeat()
        self.spans = Spans(self.clock, self.clock() if matched is None else matched)
        self._network = network
        self._media = media
        self._polite = polite
        self._relay_only = relay_only
        self._replaced: list[Connection] = []
        self.attempt = self._begin(role, 1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def role(self) -> Role:
        """Offers or answers; settled once an attempt is over."""
        return self.attempt.role

    # ------------------------------------------------------------ connecting

    async def connect(self, signals: SignalPort, deadline: float) -> PeerResult:
        """Makes the handshake over `signals`; returns when it is proven, or when it is certain that it will not be.

        The connection then stands until `close`.

        Args:
            signals: carries the session's signals; its `ended` aborts the attempt.
            deadline: seconds after which the attempt is given up. aiortc itself would wait for a minute or for ever.
        """
        self.enter(PeerState.CONNECTING)
        async with self.listening(signals, offer=self.role is Role.OFFERER):
            await self.until_over(deadline)
        return self.result()

    async def until_over(self, deadline: float) -> None:
        """Waits for the end of the attempt, whichever it then is; a proven one also for the end of what it sends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                attempt = None
                while attempt is not self.attempt:  # glare puts another attempt in its place
                    attempt = self.attempt
                    await attempt.over.wait()
                if attempt.progress.proven:
                    await attempt.sent.wait()
        connected = self.attempt.progress.proven and self.attempt.connection.connected
        self.enter(PeerState.CONNECTED if connected else PeerState.FAILED)

    def result(self) -> PeerResult:
        """How the latest attempt stands."""
        return self.attempt.result(self.quality())

    def quality(self) -> Quality:
        """What was measured so far: the round trip of the heartbeats (before the first: of the exchange), and media."""
        rtt = self.attempt.rtt if self.heartbeat.rtt is None else self.heartbeat.rtt
        heard = [one.receipt for one in self.attempt.connection.listeners if one.receipt.received]
        if not heard:
            return Quality(rtt)
        loss = sum(max(0, one.lost) for one in heard) / sum(one.expected for one in heard)
        return Quality(rtt, max(one.jitter for one in heard), loss)

    # ------------------------------------------------------------ signals

    @contextlib.asynccontextmanager
    async def listening(self, signals: SignalPort, *, offer: bool = False) -> AsyncIterator[None]:
        """Takes in signals inside this block, and in the beginning sends an offer where one is due."""
        tasks = [asyncio.create_task(self._negotiate(signals, offer)), asyncio.create_task(self._watch_end(signals))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch_end(self, signals: SignalPort) -> None:
        await signals.ended.wait()
        self._end()

    def _end(self) -> None:
        self.ended.set()
        self.attempt.abort()

    async def _negotiate(self, signals: SignalPort, offer: bool) -> None:
        if offer:
            await self._guarded(self.attempt.offer(signals))
        while True:
            signal = await signals.receive()
            self.attempt.progress.order.note(signal.seq)
            await self._guarded(self._take(signal, signals))

    async def _guarded(self, step: Coroutine[Any, Any, None]) -> None:
        try:
            await step
        except Exception as error:  # noqa: BLE001  whatever a foreign signal makes aiortc raise is that signal's fault
            self.attempt.fail(Stage.SIGNALLING_BROKEN, f"{type(error).__name__}: {error}")

    async def _take(self, signal: Incoming, signals: SignalPort) -> None:
        if signal.kind == "ice-candidate":
            await self.attempt.take_init(signal.body.get("candidate"))
        elif signal.kind == "call-ended":
            self._end()
        elif signal.kind == "offer":
            await self._take_offer(signal, signals)
        elif signal.kind == "answer":
            await self._take_answer(signal, signals)

    async def _take_offer(self, signal: Incoming, signals: SignalPort) -> None:
        """An offer of a later attempt starts one here, too; one of an earlier attempt has come too late."""
        number = _number(signal)
        if number > self.attempt.number:
            await self.replace(Role.ANSWERER, number)
        elif number < self.attempt.number:
            return
        elif self.role is Role.OFFERER:
            self.attempt.glare = True
            if not self._yields(signal):
                return
            await self.replace(Role.ANSWERER, number)
            self.attempt.glare = True
        await self.attempt.take_description(signal, signals)

    async def _take_answer(self, signal: Incoming, signals: SignalPort) -> None:
        if self.role is Role.ANSWERER:
            if not self.attempt.glare:
                self.attempt.fail(Stage.SIGNALLING_BROKEN, "an answer came to the side that answers")
        elif not self.attempt.local_sdp:
            self.attempt.fail(Stage.SIGNALLING_REORDERED, "an answer came before the offer was sent")
        else:
            await self.attempt.take_description(signal, signals)

    def _yields(self, signal: Incoming) -> bool:
        """Whether our offer gives way to theirs. aiortc has no rollback, so whoever yields starts anew."""
        if self._polite is not None:
            return self._polite
        description = signal.body.get("offer")
        theirs = str(description.get("sdp", "")) if isinstance(description, dict) else ""
        return rank_of(self.attempt.local_sdp) < rank_of(theirs)

    # ------------------------------------------------------------ attempts

    def _begin(self, role: Role, number: int) -> Attempt:
        attempt = Attempt(
            role, number, self._network, self._media, self.spans, self.clock, relay_only=self._relay_only
        )  # fmt: skip
        attempt.answered = lambda message: self.heartbeat.heard(message, self.clock())
        return attempt

    async def replace(self, role: Role, number: int) -> None:
        """Closes the peer connection, and puts a new one in its place, which keeps what came early."""
        old, self.attempt = self.attempt, self._begin(role, number)
        self._replaced.append(old.connection)
        self.attempt.early, self.attempt.progress.order = old.early, old.progress.order
        self.heartbeat = Heartbeat()
        old.replaced.set()
        old.over.set()
        await old.connection.close()

    async def renegotiate(self, signals: SignalPort) -> None:
        """Offers a new peer connection in place of this one."""
        await self.replace(Role.OFFERER, self.attempt.number + 1)
        await self._guarded(self.attempt.offer(signals))

    def enter(self, state: PeerState) -> None:
        """This is the state now."""
        if state is not self.state:
            self.state = state
            self.changed(state)

    # ------------------------------------------------------------ leaving

    async def leave(self, signals: SignalPort) -> None:
        """Leaves as a client that says so: `call-ended` to the other side, then the end of the connection."""
        await signals.send("call-ended")
        await self.close()

    async def vanish(self) -> None:
        """Leaves as a process that was killed: the sockets are gone, and nobody is told."""
        self.ended.set()
        self.attempt.settled.set()
        await self.attempt.connection.cut()
        await self.close()

    async def settle(self) -> None:
        """Waits a moment until the other side knows, too, that the connection stands; whoever ends it before cuts that.

        Returns at once where it does not stand.
        """
        attempt = self.attempt
        if attempt.progress.proven and attempt.connection.connected and not attempt.settled.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LINGER):
                    await attempt.settled.wait()

    async def close(self) -> None:
        """Ends the connection and frees its sockets, tasks and threads. May be called twice."""
        self.ended.set()
        await self.settle()
        await asyncio.gather(*(one.close() for one in (*self._replaced, self.attempt.connection)))
        self.enter(PeerState.CLOSED)


def _number(signal: Incoming) -> int:
    """The number of the attempt that an offer belongs to. Raises ValueError for what is none."""
    number = signal.body.get("attempt", 1)
    if not isinstance(number, int) or not 1 <= number <= 1000:
        raise ValueError(f"no number of an attempt: {number!r:.20}")
    return number


async def connect_peer(
    signals: SignalPort, role: Role, network: Network, deadline: float, *, media: Media = Media.NONE
) -> PeerResult:
    """Makes one handshake with a peer of its own, and closes it again. See `Peer.connect`."""
    async with Peer(role, network, media=media) as peer:
        return await peer.connect(signals, deadline)
