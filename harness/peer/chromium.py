"""A peer in a Chromium page: the same handshake as `Peer`, by a browser's own WebRTC, and true ICE restart."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib import resources
from ipaddress import ip_address
from typing import Any, Protocol, Self

from harness.errors import Trouble
from harness.peer.attempt import sdp_of
from harness.peer.exchange import Exchange
from harness.peer.ports import Incoming, SignalPort
from harness.peer.quality import Quality
from harness.peer.result import PeerResult
from harness.peer.spans import Spans, Step
from harness.peer.stage import Progress, Role, Stage, stage_of
from harness.peer.trickle import candidate_of

SCRIPT = resources.files("harness.peer").joinpath("chromium.js").read_text(encoding="utf-8")
TELL = "gurukulTell"
"""The function by which the page tells of events: it takes one JSON text."""
_UFRAG = re.compile(r"^a=ice-ufrag:(\S+)", re.MULTILINE)


class Page(Protocol):
    """A page of a browser that runs our script."""

    async def call(self, name: str, *arguments: Any) -> Any:
        """Calls a function of `window.gurukul` and waits for what it returns.

        Raises:
            PageRefused: it threw.
        """

    async def event(self) -> Mapping[str, Any]:
        """The next event that the page told."""


class PageRefused(Exception):
    """What the page threw, in its own words."""


class ChromiumPeer:
    """One side of a connection, in a page. Close it in the end.

    Args:
        page: has our script, and no connection yet.
        role: who offers.
        clock: monotonic seconds; the event loop's without one.
        matched: when the match was seen, on that clock.
        ice_servers: as RTCIceServer has them.
        relay_only: W3C iceTransportPolicy `relay`.
    """

    def __init__(
        self, page: Page, role: Role, clock: Callable[[], float] | None = None, *, matched: float | None = None,
        ice_servers: Sequence[Mapping[str, str]] = (), relay_only: bool = False,
    ) -> None:  # fmt: skip
        clock = clock or asyncio.get_running_loop().time
        self.role = role
        self.spans = Spans(clock, clock() if matched is None else matched)
        self.progress = Progress()
        self.over = asyncio.Event()
        """Set when the connection is proven, or can no longer be."""
        self.settled = asyncio.Event()
        """Set when the other side knows it, too."""
        self.descriptions: list[str] = []
        """The SDP of each local description so far; an ICE restart makes another one."""
        self._page = page
        self._start = (list(map(dict, ice_servers)), relay_only)
        self._exchange = Exchange(role)
        self._heard: asyncio.Queue[str] = asyncio.Queue()
        self._path: Mapping[str, Any] = {}
        self._ufrags: frozenset[str] = frozenset()
        """The username fragments in the pair in use, our side's and the other's."""
        self._theirs: list[str] = []
        """The SDP of each description of the other side."""
        self._early: list[Any] = []
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self, signals: SignalPort, deadline: float) -> PeerResult:
        """Makes the handshake over `signals`, within `deadline` seconds; signals are taken in until `close`."""
        await self._page.call("start", *self._start)
        works = (self._take_signals(signals), self._take_events(signals), self._watch_end(signals))
        self._tasks = [asyncio.create_task(work) for work in works]
        if self.role is Role.OFFERER:
            await self._guarded(self._page.call("offer"), Stage.HARNESS_DEADLINE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                await self.over.wait()
        await self.look()
        return self.result()

    async def restart_ice(self) -> None:
        """Offers the same connection anew with other ICE credentials (RFC 8445 section 9)."""
        await self._page.call("restart")

    async def until_path_of(self, description: int, timeout: float) -> None:
        """Waits until the pair in use belongs to the descriptions of that number, from 1. Raises TimeoutError.

        A candidate of either side says so: after an ICE restart Chromium may go on from its old port to the other's new
        ones.
        """
        async with asyncio.timeout(timeout):
            while self._ufrags.isdisjoint(
                side[description - 1] for side in (self.ufrags, _ufrags(self._theirs)) if len(side) >= description
            ):
                self._news.clear()
                await self._news.wait()

    async def look(self) -> Mapping[str, Any]:
        """Asks for the pair in use: `local` and `remote` types, `ufrag` of our side, `relay` protocol, `rtt`."""
        self._path = await self._page.call("path") or self._path
        return self._path

    async def say(self, text: str) -> None:
        """Sends a text on the data channel."""
        await self._page.call("say", text)

    async def hear(self, timeout: float) -> str:
        """The next text on the data channel that is none of the handshake's. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            return await self._heard.get()

    @property
    def ufrags(self) -> list[str]:
        """The ICE username fragment of each local description."""
        return _ufrags(self.descriptions)

    def result(self) -> PeerResult:
        """How it stands."""
        stage, detail = stage_of(self.progress)
        path = f"{self._path['local']}/{self._path['remote']}" if self._path else ""
        return PeerResult(
            self.role, stage, detail, path, self._path.get("relay", ""), dict(self.spans.times),
            quality=Quality(self._path.get("rtt")), disorder=self.progress.order.disorder(),
        )  # fmt: skip

    async def close(self) -> None:
        """Ends the connection and all tasks. May be called twice."""
        if self.progress.proven:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await self.settled.wait()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if tasks:
            await self._page.call("close")

    # ------------------------------------------------------------ signals to the page

    async def _watch_end(self, signals: SignalPort) -> None:
        await signals.ended.wait()
        self.progress.ended_by_other = not self.progress.proven
        self._finish()

    async def _take_signals(self, signals: SignalPort) -> None:
        while True:
            signal = await signals.receive()
            self.progress.order.note(signal.seq)
            await self._guarded(self._take(signal), Stage.SIGNALLING_BROKEN)

    async def _guarded(self, step: Coroutine[Any, Any, None], stage: Stage) -> None:
        """What the page refuses ends the attempt at that stage: a signal's fault, or ours."""
        try:
            await step
        except (PageRefused, Trouble, ValueError, TypeError) as refused:
            self.progress.broken = self.progress.broken or (stage, str(refused)[:200])
            self._finish()

    async def _take(self, signal: Incoming) -> None:
        if signal.kind in {"offer", "answer"}:
            self.spans.mark(Step.ANSWER if signal.kind == "answer" else Step.OFFER_RECEIVED)
            sdp = sdp_of(signal)
            await self._page.call("accept", {"type": signal.kind, "sdp": sdp})
            self._theirs.append(sdp)
            self._news.set()
            self.progress.remote_description = True
            early, self._early = self._early, []
            for init in early:
                await self._add(init)
        elif signal.kind == "ice-candidate":
            self.spans.mark(Step.FIRST_CANDIDATE)
            init = signal.body.get("candidate")
            if self.progress.remote_description:
                await self._add(init)
            else:
                self._early.append(init)

    async def _add(self, init: Any) -> None:
        candidate = candidate_of(init)
        self.progress.remote_candidates += not candidate.ends
        await self._page.call("add", candidate.as_init() if candidate.text else None)

    # ------------------------------------------------------------ events of the page

    async def _take_events(self, signals: SignalPort) -> None:
        while True:
            await self._guarded(self._take_event(await self._page.event(), signals), Stage.HARNESS_DEADLINE)

    async def _take_event(self, event: Mapping[str, Any], signals: SignalPort) -> None:
        match event["event"]:
            case "description":
                await self._describe(event, signals)
            case "candidate":
                await self._trickle(event["candidate"], signals)
            case "data":
                await self._hear(event["text"])
            case "path":
                self._ufrags = frozenset(event["ufrags"])
                self._news.set()
                await self.look()
            case "open":
                self.spans.mark(Step.OPEN)
                if self.role is Role.OFFERER:
                    await self.say(self._exchange.opening())
            case state:
                self._changed(state, event.get("state", ""))

    async def _describe(self, event: Mapping[str, Any], signals: SignalPort) -> None:
        kind, sdp = event["type"], event["sdp"]
        self.descriptions.append(sdp)
        self._news.set()
        if await signals.send(kind, **{kind: {"type": kind, "sdp": sdp}}) is False:
            self.progress.unsent = kind
        self.spans.mark(Step.ANSWER if kind == "answer" else Step.OFFER_SENT)

    async def _trickle(self, init: Mapping[str, Any] | None, signals: SignalPort) -> None:
        """Sends a candidate; one that is not of this machine stays here, for nothing may leave it."""
        if init is None or not init.get("candidate"):
            self.spans.mark(Step.GATHERED)
            self.progress.local_candidates = self.progress.local_candidates or 0
            await signals.send("ice-candidate", candidate={"candidate": "", "sdpMid": "0", "sdpMLineIndex": 0})
        elif _stays_here(init["candidate"]):
            self.progress.local_candidates = (self.progress.local_candidates or 0) + 1
            await signals.send("ice-candidate", candidate=dict(init))

    async def _hear(self, text: str) -> None:
        self.spans.mark(Step.FIRST_DATA)
        reply = self._exchange.heard(text)
        if self._exchange.proven and not self.progress.data_both_ways:
            self.progress.data_both_ways = True
            self.spans.mark(Step.CONNECTED)
            self._finish()
        if self._exchange.settled:
            self.settled.set()
        if reply is not None:
            await self.say(reply)
        elif text not in {"settled", "hello", "echo", "confirm"}:
            self._heard.put_nowait(text)

    def _changed(self, what: str, state: str) -> None:
        if what == "ice" and state in {"connected", "completed"}:
            self.progress.ice_completed = True
            self.spans.mark(Step.ICE)
        elif what == "connection" and state == "connected":
            self.progress.dtls_connected = True
            self.spans.mark(Step.DTLS)
        elif what == "connection" and state in {"failed", "closed"}:
            self._finish()

    def _finish(self) -> None:
        self.over.set()


def _ufrags(descriptions: Sequence[str]) -> list[str]:
    return [found[1] for sdp in descriptions if (found := _UFRAG.search(sdp))]


def _stays_here(candidate: str) -> bool:
    """Whether a candidate's address is this machine's own, so that the kernel delivers what is sent to it by itself.

    Chromium offers no loopback address, whatever it is told; it does send from its others to one.
    """
    words = candidate.split()
    try:
        address = ip_address(words[4])
    except (IndexError, ValueError):
        return False
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as here:
            here.bind((str(address), 0))
    except OSError:
        return False
    return True
