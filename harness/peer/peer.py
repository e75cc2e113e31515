"""One end of a WebRTC connection: aiortc made to behave as the document's browser client (sections 3 and 7)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCDataChannel, RTCIceServer, RTCPeerConnection
from aiortc import RTCSessionDescription as Description
from aiortc.sdp import candidate_from_sdp

from harness.peer.exchange import Exchange
from harness.peer.ports import Incoming, Network, SignalPort
from harness.peer.stage import Progress, Role, Stage, stage_of
from harness.peer.trickle import Candidate, candidate_of, trickled

log = logging.getLogger(__name__)

LABEL = "gurukul"
"""The name of the data channel."""
_LINGER = 1.0
"""How long a closing offerer waits for the last message of the exchange, in seconds."""
_CLOSING = 5.0
"""How long the closing of a connection may take before it is left to itself, in seconds."""


@dataclass(frozen=True)
class PeerResult:
    """What became of one attempt, as one side saw it.

    `times` are seconds since the attempt began, for the steps that were reached: `offer`, `answer`, `candidate` (the
    first of the other side), `ice`, `dtls`, `open` (the data channel), `data` (both ways).
    """

    role: Role
    stage: Stage
    detail: str = ""
    path: str = ""
    """Types of the candidate pair in use, local then remote (`host/host`); empty when none was."""
    times: dict[str, float] = field(default_factory=dict)

    @property
    def connected(self) -> bool:
        """Whether data went both ways."""
        return self.stage is Stage.CONNECTED


class Peer:
    """A headless peer with one data channel. Use it as an async context manager, or close it.

    Args:
        role: whether it offers or answers.
        network: where it gathers candidates, and which servers it may ask.
        clock: monotonic seconds.
    """

    def __init__(self, role: Role, network: Network, clock: Callable[[], float] = time.monotonic) -> None:
        self.role = role
        self.progress = Progress()
        self.times: dict[str, float] = {}
        self._network = network
        self._clock = clock
        self._began = clock()
        self._exchange = Exchange(role)
        self._over = asyncio.Event()
        self._settled = asyncio.Event()
        self._early: list[Candidate] = []
        self._remote_sdp = ""
        self._channel: RTCDataChannel | None = None
        servers = [RTCIceServer(**server) for server in network.ice_servers]
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._pc.on("connectionstatechange", self._connection_changed)
        self._pc.on("iceconnectionstatechange", self._ice_changed)
        self._pc.on("datachannel", self._opened)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self, signals: SignalPort, deadline: float) -> PeerResult:
        """Makes the handshake over `signals`; returns when data went both ways, or when it is certain that it will not.

        The connection then stands until `close`.

        Args:
            signals: carries the session's signals; its `ended` aborts the attempt.
            deadline: seconds after which the attempt is given up. aiortc itself would wait for a minute or for ever.
        """
        self._began = self._clock()
        tasks = [asyncio.create_task(self._negotiate(signals)), asyncio.create_task(self._watch_end(signals))]
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(deadline):
                    await self._over.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        stage, missing = stage_of(self.progress)
        return PeerResult(self.role, stage, missing, self._path(), dict(self.times))

    async def close(self) -> None:
        """Ends the connection and frees its sockets. May be called twice."""
        if self.progress.data_both_ways and self._pc.connectionState == "connected":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), _LINGER)
        try:
            await asyncio.wait_for(self._pc.close(), _CLOSING)
        except TimeoutError:
            log.warning("a peer connection did not close within %g s", _CLOSING)

    def _mark(self, step: str) -> None:
        self.times.setdefault(step, round(self._clock() - self._began, 6))

    async def _watch_end(self, signals: SignalPort) -> None:
        await signals.ended.wait()
        self.progress.ended_by_other = not self.progress.data_both_ways
        self._over.set()

    async def _negotiate(self, signals: SignalPort) -> None:
        """Sends our half, and takes in the other's for as long as the attempt lasts."""
        try:
            if self.role is Role.OFFERER:
                self._opened(self._pc.createDataChannel(LABEL))
                await self._describe(signals)
            while True:
                await self._take(await signals.receive(timeout=3600.0), signals)
        except Exception as error:  # noqa: BLE001  whatever a foreign signal makes aiortc raise is that signal's fault
            self.progress.broken = f"{type(error).__name__}: {error}"[:200]
            self._over.set()

    async def _describe(self, signals: SignalPort) -> None:
        """Gathers, and sends the description, each candidate, and the end of candidates."""
        kind = _KIND[self.role]
        with self._network.attached():
            await self._pc.setLocalDescription()
        local = trickled(self._pc.localDescription.sdp)
        self.progress.local_candidates = local.gathered
        await signals.send(kind, **{kind: {"type": kind, "sdp": local.sdp}})
        self._mark(kind)
        for candidate in local.candidates:
            await signals.send("ice-candidate", candidate=candidate.as_init())

    async def _take(self, signal: Incoming, signals: SignalPort) -> None:
        if signal.kind == "ice-candidate":
            await self._take_candidate(candidate_of(signal.body.get("candidate")))
        elif signal.kind == "call-ended":
            self.progress.ended_by_other = True
            self._over.set()
        elif signal.kind in {"offer", "answer"}:
            await self._take_description(signal, signals)

    async def _take_description(self, signal: Incoming, signals: SignalPort) -> None:
        """Applies the other side's description, then its candidates that came before it; an offer is answered."""
        if signal.kind == _KIND[self.role]:
            raise ValueError(f"both sides sent an {signal.kind} (glare)")
        sdp = _sdp_of(signal)
        if self._remote_sdp:
            if sdp != self._remote_sdp:
                raise ValueError(f"a second, different {signal.kind}")
            return
        self._remote_sdp = sdp
        with self._network.attached():
            await self._pc.setRemoteDescription(Description(sdp=sdp, type=signal.kind))
        self.progress.remote_description = True
        self.progress.remote_candidates += sdp.count("a=candidate:")
        self._mark(signal.kind)
        early, self._early = self._early, []
        for candidate in early:
            await self._add(candidate)
        if self.role is Role.ANSWERER:
            await self._describe(signals)

    async def _take_candidate(self, candidate: Candidate) -> None:
        """Adds a candidate; one that comes before the description waits for it (aiortc would lose it silently)."""
        self._mark("candidate")
        if self.progress.remote_description:
            await self._add(candidate)
        else:
            self._early.append(candidate)

    async def _add(self, candidate: Candidate) -> None:
        if candidate.ends:
            await self._pc.addIceCandidate(None)
            return
        parsed = candidate_from_sdp(candidate.text.removeprefix("candidate:"))
        parsed.sdpMid, parsed.sdpMLineIndex = candidate.mid, candidate.index
        self.progress.remote_candidates += 1
        await self._pc.addIceCandidate(parsed)

    def _opened(self, channel: RTCDataChannel) -> None:
        """Wires up the channel: ours when we offer, the other side's when we answer."""
        if channel.label != LABEL or self._channel is not None:
            return
        self._channel = channel
        channel.on("message", self._heard)
        if self.role is Role.OFFERER:
            channel.on("open", self._greet)
        else:
            self._mark("open")

    def _greet(self) -> None:
        self._mark("open")
        self._say(self._exchange.opening())

    def _say(self, message: str) -> None:
        if self._channel is not None and self._channel.readyState == "open":
            self._channel.send(message)

    def _heard(self, message: str | bytes) -> None:
        if (reply := self._exchange.heard(message)) is not None:
            self._say(reply)
        if self._exchange.settled:
            self._settled.set()
        if self._exchange.proven and not self.progress.data_both_ways:
            self._mark("data")
            self.progress.data_both_ways = True
            self._over.set()

    def _ice_changed(self) -> None:
        if self._pc.iceConnectionState == "completed":
            self._mark("ice")
            self.progress.ice_completed = True

    def _connection_changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected":
            self._mark("dtls")
            self.progress.dtls_connected = True
        elif state in {"failed", "closed"}:
            self._over.set()
            self._settled.set()

    def _path(self) -> str:
        """The candidate pair in use. aiortc has no statistics for it, so this looks inside aioice's connection."""
        if self._pc.sctp is None:
            return ""
        pair = self._pc.sctp.transport.transport._connection._nominated.get(1)
        return f"{pair.local_candidate.type}/{pair.remote_candidate.type}" if pair else ""


_KIND = {Role.OFFERER: "offer", Role.ANSWERER: "answer"}


def _sdp_of(signal: Incoming) -> str:
    """The text of the description that a signal carries. Raises ValueError when it carries none."""
    description = signal.body.get(signal.kind)
    sdp = description.get("sdp") if isinstance(description, dict) else None
    if not isinstance(sdp, str) or "m=application" not in sdp:
        raise ValueError(f"an {signal.kind} without a description of a data channel")
    return sdp


async def connect_peer(signals: SignalPort, role: Role, network: Network, deadline: float) -> PeerResult:
    """Makes one handshake with a peer of its own, and closes it again. See `Peer.connect`."""
    async with Peer(role, network) as peer:
        return await peer.connect(signals, deadline)
