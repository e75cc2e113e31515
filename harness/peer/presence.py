"""Staying connected: heartbeats, what is noticed by them, and a new peer connection after a loss."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from enum import StrEnum

from harness.peer.attempt import Attempt
from harness.peer.peer import Peer, PeerState
from harness.peer.ports import SignalPort
from harness.peer.result import PeerResult
from harness.peer.stage import Role


class End(StrEnum):
    """Why a stay ended."""

    TIME = "time"
    """The caller had enough."""
    TOLD = "told"
    """The session is over: a `call-ended`, or its end in the database."""
    LOST = "lost"
    """The connection is gone, and did not come back."""


class Noticed(StrEnum):
    """How an outage was noticed."""

    HEARTBEAT = "heartbeat"
    CLOSED = "closed"
    """The peer connection closed: the other side did that, or ICE consent was lost after half a minute."""


class Mended(StrEnum):
    """How an outage ended."""

    NOT = ""
    ITSELF = "itself"
    """The path came back."""
    RENEGOTIATED = "renegotiated"
    """A new peer connection took its place. aiortc has no ICE restart, so this stands for it."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time without a connection: when it was noticed, in seconds since the match, and how long it then lasted."""

    at: float
    seconds: float
    noticed: Noticed
    mended: Mended


@dataclass(frozen=True, slots=True)
class Rules:
    """How patient a peer is; times in seconds."""

    interval: float = 1.0
    """Between two heartbeats."""
    grace: float = 5.0
    """How long after an outage is noticed the path may come back by itself, or the end of the session be told."""
    renegotiations: int = 1
    """How often a new peer connection is tried in a session."""
    deadline: float = 10.0
    """How long each of them may take."""


@dataclass
class Stay:
    """What happened while a peer stayed."""

    end: End = End.TIME
    outages: list[Outage] = field(default_factory=list)
    renegotiated: list[PeerResult] = field(default_factory=list)
    """The attempts that came after the first, whatever became of them."""


async def stay(peer: Peer, signals: SignalPort, until: asyncio.Event, rules: Rules | None = None) -> Stay:
    """Keeps a connected peer's connection, until the caller has enough, the session is over or the connection is lost.

    Both sides of a pair should stay: each beats for itself. After a loss the offerer makes the new offer.

    Args:
        peer: connected.
        signals: of its session.
        until: ends the stay.
        rules: how patient the peer is.
    """
    staying = _Staying(peer, signals, rules or Rules())
    async with peer.listening(signals):
        tasks = {
            End.TOLD: asyncio.create_task(_ended(peer, signals)),
            End.TIME: asyncio.create_task(until.wait()),
            End.LOST: asyncio.create_task(staying.until_lost()),
        }
        try:
            await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
            staying.seen.end = End.TOLD if peer.ended.is_set() else next(e for e, task in tasks.items() if task.done())
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
    return staying.seen


async def _ended(peer: Peer, signals: SignalPort) -> None:
    """Returns when either tells of the end of the session."""
    waits = [asyncio.create_task(event.wait()) for event in (peer.ended, signals.ended)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


class _Staying:
    """One stay under way."""

    def __init__(self, peer: Peer, signals: SignalPort, rules: Rules) -> None:
        self.seen = Stay()
        self._peer = peer
        self._signals = signals
        self._rules = rules
        self._left = rules.renegotiations

    async def until_lost(self) -> None:
        """Returns when the connection is gone for good."""
        mended: Mended | None = None
        while mended is not Mended.NOT:
            attempt = self._peer.attempt
            noticed = await self._until_trouble(attempt)
            at = self._peer.spans.now()
            self._peer.enter(PeerState.DISCONNECTED)
            mended = await self._mend(attempt, noticed)
            self.seen.outages.append(Outage(at, round(self._peer.spans.now() - at, 6), noticed, mended))

    async def _until_trouble(self, attempt: Attempt) -> Noticed:
        while True:
            self._beat(attempt)
            if self._peer.heartbeat.dead:
                return Noticed.HEARTBEAT
            if await _within(self._rules.interval, attempt.lost):
                return Noticed.CLOSED

    def _beat(self, attempt: Attempt) -> None:
        attempt.connection.beat(self._peer.heartbeat.beat(self._peer.clock()))

    async def _mend(self, attempt: Attempt, noticed: Noticed) -> Mended:
        if noticed is Noticed.HEARTBEAT and await self._comes_back(attempt):
            return Mended.ITSELF
        if noticed is Noticed.CLOSED:
            await _within(self._rules.grace, self._peer.ended)
        while self._left > 0 and not self._peer.ended.is_set():
            self._left -= 1
            if await self._renegotiated(attempt):
                return Mended.RENEGOTIATED
            attempt = self._peer.attempt
        return Mended.NOT

    async def _comes_back(self, attempt: Attempt) -> bool:
        """Goes on beating for a while; the path came back when a beat is answered."""
        heartbeat, ends = self._peer.heartbeat, self._peer.clock() + self._rules.grace
        answered = heartbeat.answered
        while self._peer.clock() < ends and not await _within(self._rules.interval, attempt.lost):
            if heartbeat.answered > answered:
                self._peer.enter(PeerState.CONNECTED)
                return True
            self._beat(attempt)
        return False

    async def _renegotiated(self, attempt: Attempt) -> bool:
        """A new peer connection: the offerer offers it, the answerer waits for that offer. True when it stands."""
        if attempt.role is Role.OFFERER:
            await self._peer.renegotiate(self._signals)
        elif not await _within(self._rules.grace + self._rules.deadline, attempt.replaced):
            return False
        self._peer.enter(PeerState.CONNECTING)
        await self._peer.until_over(self._rules.deadline)
        self.seen.renegotiated.append(self._peer.result())
        return self._peer.state is PeerState.CONNECTED


async def _within(seconds: float, event: asyncio.Event) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
