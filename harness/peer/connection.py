"""One RTCPeerConnection of aiortc: descriptions, candidates, channels and media, and what it has no events for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
)
from aiortc import RTCSessionDescription as Description
from aiortc.sdp import candidate_from_sdp

from harness.peer.asking import ended_with_us
from harness.peer.certificate import one_certificate
from harness.peer.heartbeat import answer_to
from harness.peer.media import Listener, Media, track_of
from harness.peer.ports import Network
from harness.peer.quality import Receipt
from harness.peer.stage import Stage
from harness.peer.trickle import Candidate, Trickled, trickled
from harness.peer.turn_watch import RelayWatch, watched_relay

log = logging.getLogger(__name__)

LABEL = "gurukul"
"""The name of the data channel."""
HEARTBEAT = "gurukul-heartbeat"
"""The name of the channel for beats: unordered and never sent again, so that what is late does not hold up the next."""
_CLOSING = 5.0
"""How long the closing of a connection may take before it is left to itself, in seconds."""


@dataclass(frozen=True, slots=True)
class Path:
    """The candidate pair in use, as one side sees it: types of RFC 8445 (`host`, `srflx`, `prflx`, `relay`)."""

    local: str
    """`host` or `relay`: aioice sends from its base, and a reflexive address shows at the other side."""
    remote: str
    relay_protocol: str = ""
    """How this side reaches its own relay (`udp`, `tcp` or `tls`); empty where it uses none."""

    @property
    def relayed(self) -> bool:
        """Whether a relay of either side is used, as far as this side can see."""
        return "relay" in {self.local, self.remote}

    def __str__(self) -> str:
        return f"{self.local}/{self.remote}"


class Observer(Protocol):
    """Is told what happens on a connection."""

    def ice_completed(self) -> None:
        """A candidate pair works."""

    def dtls_connected(self) -> None:
        """There is a key, and everything is ready for channels."""

    def connection_lost(self, state: str) -> None:
        """It is `failed` or `closed`, and will not come back."""

    def channel_opened(self) -> None:
        """The data channel is open."""

    def message(self, message: str | bytes) -> None:
        """Something came on the data channel."""

    @property
    def answered(self) -> Callable[[str | bytes], None]:
        """Is called with each answer on our heartbeat channel."""

    def media_came(self, receipt: Receipt) -> None:
        """An RTP packet came."""


class Connection:
    """A peer connection on a network. Close it in the end.

    Args:
        network: where it gathers candidates, and which servers it may ask.
        media: what it sends besides data, and how it treats what comes.
        observer: is told of events.
        clock: monotonic seconds.
        relay_only: use relay candidates alone (W3C iceTransportPolicy `relay`).
    """

    def __init__(
        self,
        network: Network,
        media: Media,
        observer: Observer,
        clock: Callable[[], float],
        *,
        relay_only: bool = False,
    ) -> None:
        self.listeners: list[Listener] = []
        self._network = network
        self._media = media
        self._observer = observer
        self._clock = clock
        self._relay = RelayWatch()
        self._channel: RTCDataChannel | None = None
        self._beats: RTCDataChannel | None = None
        self._path: Path | None = None
        self._closing: asyncio.Task[None] | None = None
        policy = RTCIceTransportPolicy.RELAY if relay_only else RTCIceTransportPolicy.ALL
        servers = [RTCIceServer(**server) for server in network.ice_servers]
        options = RTCConfiguration(
            iceServers=servers, iceTransportPolicy=policy, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE
        )  # fmt: skip
        with one_certificate():
            self._pc = RTCPeerConnection(options)
        self._pc.on("connectionstatechange", self._connection_changed)
        self._pc.on("iceconnectionstatechange", self._ice_changed)
        self._pc.on("datachannel", self._channel_came)
        self._pc.on("track", self._track_came)

    # ------------------------------------------------------------ negotiation

    async def offer(self) -> Trickled:
        """Makes the channel and the media, and gathers. Returns the offer and its candidates."""
        if self._media.kind:  # before the channel: aiortc stops a bundled transport that the channel came first on
            self._pc.addTrack(track_of(self._media))
        self._take_channel(self._pc.createDataChannel(LABEL))
        return await self._describe()

    async def answer(self) -> Trickled:
        """Gathers. Returns the answer and its candidates."""
        if self._media.kind and any(one.kind == self._media.kind for one in self._pc.getTransceivers()):
            self._pc.addTrack(track_of(self._media))
        return await self._describe()

    async def _describe(self) -> Trickled:
        with self._network.attached():
            if self._network.ice_servers:
                await self._ask_servers()
            else:
                await self._pc.setLocalDescription()
        return trickled(self._pc.localDescription.sdp)

    async def _ask_servers(self) -> None:
        """Gathers where there are servers to ask, which may be silent, or refuse a relay."""
        with watched_relay() as self._relay:
            async with ended_with_us(self._protocols):
                await self._pc.setLocalDescription()

    async def apply(self, kind: str, sdp: str) -> None:
        """Takes the other side's description. Raises whatever aiortc makes of one that cannot be used."""
        with self._network.attached():
            await self._pc.setRemoteDescription(Description(sdp=sdp, type=kind))

    async def add(self, candidate: Candidate) -> None:
        """Takes a candidate of the other side, or their end. Raises ValueError for one that cannot be used."""
        if candidate.ends:
            await self._pc.addIceCandidate(None)
            return
        try:
            parsed = candidate_from_sdp(candidate.text.removeprefix("candidate:"))
        except (ValueError, IndexError, AssertionError):
            raise ValueError(f"no candidate: {candidate.text!r:.80}") from None
        parsed.sdpMid, parsed.sdpMLineIndex = candidate.mid, candidate.index
        with self._network.attached():
            await self._pc.addIceCandidate(parsed)

    # ------------------------------------------------------------ what there is to know

    @property
    def connected(self) -> bool:
        """Whether it stands, as far as aiortc knows; a dead path is not noticed for half a minute."""
        return self._pc.connectionState == "connected"

    @property
    def path(self) -> Path | None:
        """The pair in use, or the last that was; None when none ever was."""
        return self._look_at_path() or self._path

    @property
    def relay_failure(self) -> tuple[Stage, str] | None:
        """Why a relay that was asked for was not given, once gathering is over."""
        return self._relay.failure

    def _ice(self) -> Any:
        """The connection of aioice, where aiortc has no statistics for what we ask."""
        return None if self._pc.sctp is None else self._pc.sctp.transport.transport._connection

    def _protocols(self) -> list[Any]:
        ice = self._ice()
        return [] if ice is None else list(ice._protocols)

    def _look_at_path(self) -> Path | None:
        ice = self._ice()
        pair = ice._nominated.get(1) if ice is not None else None
        if pair is None:
            return None
        local, remote = pair.local_candidate.type, pair.remote_candidate.type
        protocol = ("tls" if ice.turn_ssl else ice.turn_transport) if local == "relay" else ""
        return Path(local, remote, protocol)

    # ------------------------------------------------------------ channels

    def say(self, message: str) -> None:
        """Sends on the data channel, when it is open."""
        _send(self._channel, message)

    def beat(self, message: str) -> None:
        """Sends on a heartbeat channel of our own, which is opened at the first beat."""
        if self._beats is None and self.connected:
            self._beats = self._pc.createDataChannel(HEARTBEAT, ordered=False, maxRetransmits=0)
            self._beats.on("message", self._observer.answered)
        _send(self._beats, message)

    def _channel_came(self, channel: RTCDataChannel) -> None:
        if channel.label == HEARTBEAT:
            channel.on("message", lambda message: _send(channel, answer_to(message)))
        elif channel.label == LABEL and self._channel is None:
            self._take_channel(channel)
            self._observer.channel_opened()

    def _take_channel(self, channel: RTCDataChannel) -> None:
        self._channel = channel
        channel.on("message", self._observer.message)
        channel.on("open", self._observer.channel_opened)

    # ------------------------------------------------------------ events of aiortc

    def _track_came(self, track: MediaStreamTrack) -> None:
        for transceiver in self._pc.getTransceivers():
            if transceiver.receiver.track is track:
                decoded = self._media.decoded
                self.listeners.append(Listener(transceiver, decoded, self._clock, self._observer.media_came))

    def _ice_changed(self) -> None:
        if self._pc.iceConnectionState == "completed":
            self._path = self._look_at_path()
            self._observer.ice_completed()

    def _connection_changed(self) -> None:
        state = self._pc.connectionState
        if state == "connected":
            self._observer.dtls_connected()
        elif state in {"failed", "closed"}:
            self._observer.connection_lost(state)

    # ------------------------------------------------------------ the end

    async def cut(self) -> None:
        """Takes the sockets away, as the death of the process would: nothing is sent to say so."""
        protocols = self._protocols()
        for protocol in protocols:
            inner = getattr(protocol.transport, "_TurnTransport__inner_protocol", None)
            (protocol.transport if inner is None else inner.transport).abort()
        for protocol in protocols:
            await protocol.close()

    async def close(self) -> None:
        """Ends the connection and frees its sockets, tasks and threads. May be called twice.

        Whoever is cancelled here leaves a close that goes on: aiortc never ends one that was begun and cut off.
        """
        if self._closing is None:
            self._path = self.path
            self._closing = asyncio.create_task(self._close(), name="peer connection: close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(_CLOSING):
                await self._pc.close()
        except TimeoutError:
            log.warning("a peer connection did not close within %g s", _CLOSING)
        for listener in self.listeners:
            await listener.close()


def _send(channel: RTCDataChannel | None, message: str | None) -> None:
    if channel is not None and message is not None and channel.readyState == "open":
        with suppress(ConnectionError):  # it is being closed, which its state tells a moment later
            channel.send(message)
