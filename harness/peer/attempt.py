"""One attempt to connect: the handshake over one peer connection, from the first description to the proof."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from harness.peer.connection import Connection
from harness.peer.exchange import Exchange
from harness.peer.media import Media
from harness.peer.ports import Incoming, Network, SignalPort
from harness.peer.quality import Quality, Receipt
from harness.peer.result import PeerResult
from harness.peer.spans import Spans, Step
from harness.peer.stage import Progress, Role, Stage, stage_of
from harness.peer.trickle import Candidate, Remote, Trickled, candidate_of

LONGEST = 32_768
"""Characters of a description that are taken; those of browsers have some thousands."""
_KIND = {Role.OFFERER: "offer", Role.ANSWERER: "answer"}


class Attempt:
    """The handshake of one side. It is told of signals, and tells when it is `over`.

    Args:
        role: whether this side offers.
        number: which attempt of the session this is, from 1; from the second on it is said in the signals.
        network: where the peer lives.
        media: what is sent besides data; it must be heard, too, for the attempt to be proven.
        spans: takes the steps.
        clock: monotonic seconds.
        relay_only: use relay candidates alone.
    """

    def __init__(
        self, role: Role, number: int, network: Network, media: Media, spans: Spans, clock: Callable[[], float],
        *, relay_only: bool = False,
    ) -> None:  # fmt: skip
        self.role = role
        self.number = number
        self.glare = False
        self.progress = Progress(media_missing=bool(media.kind))
        self.over = asyncio.Event()
        """Set when the attempt is proven, or can no longer be."""
        self.sent = asyncio.Event()
        """Set when this side has said all it had to, the end of candidates included."""
        self.settled = asyncio.Event()
        """Set when the other side knows it, too, or will never."""
        self.lost = asyncio.Event()
        """Set when the peer connection is closed or has failed."""
        self.replaced = asyncio.Event()
        """Set when another attempt has taken its place."""
        self.answered: Callable[[str | bytes], None] = lambda _: None
        """Is given the answers to heartbeats."""
        self.local_sdp = ""
        self.rtt: float | None = None
        """The round trip of the exchange."""
        self.connection = Connection(network, media, self, clock, relay_only=relay_only)
        self._spans = spans
        self._clock = clock
        self._exchange = Exchange(role)
        self._said_at = 0.0
        self._remote: Remote | None = None
        self._remote_sdp = ""
        self._ended = False
        self.early: list[Candidate] = []
        """Candidates of a description that has not come (yet)."""

    # ------------------------------------------------------------ signals

    async def offer(self, signals: SignalPort) -> None:
        """Makes and sends the offer and its candidates."""
        self.progress.busy = "still gathering candidates"
        await self._send(await self.connection.offer(), signals)

    async def take_description(self, signal: Incoming, signals: SignalPort) -> None:
        """Applies the other side's description, then its candidates that came before it; an offer is answered.

        Raises:
            ValueError, and whatever aiortc raises: it cannot be used.
        """
        sdp = sdp_of(signal)
        if self._remote_sdp:
            if sdp != self._remote_sdp:
                self.fail(Stage.SIGNALLING_DOUBLED, f"a second, different {signal.kind} of the same attempt")
            return
        self._remote_sdp = sdp
        await self.connection.apply(signal.kind, sdp)
        self._remote = Remote.of(sdp)
        self.progress.remote_description = True
        self.progress.remote_candidates += sdp.count("a=candidate:")
        self._spans.mark(Step.ANSWER if signal.kind == "answer" else Step.OFFER_RECEIVED)
        early, self.early = self.early, []
        for candidate in early:
            await self._take_candidate(candidate)
        if self.role is Role.ANSWERER:
            self.progress.busy = "still gathering candidates"
            await self._send(await self.connection.answer(), signals)

    async def take_init(self, init: object) -> None:
        """Takes a trickled RTCIceCandidateInit. One that cannot be used is noted: a browser would go on, too."""
        self._spans.mark(Step.FIRST_CANDIDATE)
        try:
            candidate = candidate_of(init)
        except (TypeError, ValueError) as error:
            self.progress.unusable.append(str(error))
        else:
            await self._take_candidate(candidate)

    async def _take_candidate(self, candidate: Candidate) -> None:
        """Adds a candidate; one whose description has not come waits for it (aiortc would lose it silently)."""
        if self._remote is None:
            self.early.append(candidate)
        elif not self._remote.owns(candidate):
            self.early.append(candidate)
            self.progress.unusable.append(f"a candidate of another description ({candidate.ufrag!r:.40})")
        elif refusal := self._remote.refusal(candidate):
            self.progress.unusable.append(refusal)
        elif self._ended:
            self.progress.late_candidates += not candidate.ends
        else:
            await self._add(candidate)

    async def _add(self, candidate: Candidate) -> None:
        self._ended = candidate.ends
        try:
            await self.connection.add(candidate)
        except ValueError as error:
            self.progress.unusable.append(str(error))
        else:
            self.progress.remote_candidates += not candidate.ends

    async def _send(self, local: Trickled, signals: SignalPort) -> None:
        """Sends the description, each candidate, and the end of candidates."""
        kind = _KIND[self.role]
        self._spans.mark(Step.GATHERED)
        self.local_sdp = local.sdp
        self.progress.local_candidates = local.gathered
        self.progress.relay_failure = self.connection.relay_failure
        self.progress.busy = f"still sending its {kind}"
        number = {"attempt": self.number} if self.number > 1 else {}
        if await signals.send(kind, **{kind: {"type": kind, "sdp": local.sdp}}, **number) is False:
            self.progress.unsent = kind
        self._spans.mark(Step.ANSWER if kind == "answer" else Step.OFFER_SENT)
        for candidate in local.candidates:
            await signals.send("ice-candidate", candidate=candidate.as_init())
        self.progress.busy = ""
        self.sent.set()
        if not local.gathered:
            self.over.set()  # aiortc would stay `new` for ever

    # ------------------------------------------------------------ how it ends

    def fail(self, stage: Stage, why: str) -> None:
        """A signal has ended the attempt."""
        self.progress.broken = (stage, why[:200])
        self.over.set()

    def abort(self) -> None:
        """The session is over."""
        self.progress.ended_by_other = not self.progress.proven
        self.over.set()

    def result(self, quality: Quality) -> PeerResult:
        """How it stands now."""
        stage, detail = stage_of(self.progress)
        path = self.connection.path
        return PeerResult(
            self.role, stage, detail, str(path or ""), path.relay_protocol if path else "", dict(self._spans.times),
            self.number, self.glare, quality, self.progress.order.disorder(),
        )  # fmt: skip

    # ------------------------------------------------------------ what the connection tells

    def ice_completed(self) -> None:
        """A candidate pair works."""
        self._spans.mark(Step.ICE)
        self.progress.ice_completed = True

    def dtls_connected(self) -> None:
        """There is a key."""
        self._spans.mark(Step.DTLS)
        self.progress.dtls_connected = True

    def connection_lost(self, _: str) -> None:
        """It will not come back."""
        for event in (self.lost, self.over, self.settled):
            event.set()

    def channel_opened(self) -> None:
        """The offerer greets."""
        self._spans.mark(Step.OPEN)
        if self.role is Role.OFFERER:
            self._say(self._exchange.opening())

    def message(self, message: str | bytes) -> None:
        """A message of the exchange."""
        self._spans.mark(Step.FIRST_DATA)
        if (reply := self._exchange.heard(message)) is not None:
            if self.rtt is None and self._said_at:
                self.rtt = self._clock() - self._said_at
            self._say(reply)
        if self._exchange.settled:
            self.settled.set()
        if self._exchange.proven:
            self.progress.data_both_ways = True
            self._look()

    def media_came(self, receipt: Receipt) -> None:
        """An RTP packet."""
        self._spans.mark(Step.FIRST_MEDIA)
        if self.progress.media_missing and receipt.proven:
            self.progress.media_missing = False
            self._look()

    def _say(self, message: str) -> None:
        self._said_at = self._clock()
        self.connection.say(message)

    def _look(self) -> None:
        if self.progress.proven:
            self._spans.mark(Step.CONNECTED)
            self.over.set()


def sdp_of(signal: Incoming) -> str:
    """The text of the description that a signal carries.

    Raises:
        ValueError: it carries none of a data channel, or one that is too long.
    """
    description = signal.body.get(signal.kind)
    sdp = description.get("sdp") if isinstance(description, dict) else None
    if not isinstance(sdp, str) or "m=application" not in sdp:
        raise ValueError(f"an {signal.kind} without a description of a data channel")
    if len(sdp) > LONGEST:
        raise ValueError(f"an {signal.kind} of {len(sdp)} characters; at most {LONGEST} are taken")
    return sdp
