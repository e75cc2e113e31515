"""Signals in memory, and pairs of peers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from harness.network.loopback import Loopback
from harness.peer.peer import Peer, PeerResult, connect_peer
from harness.peer.stage import Role

DEADLINE = 10.0


@dataclass
class Signal:
    kind: str
    body: dict[str, Any]
    seq: int | None = None


@dataclass
class Wire:
    """One end of a signal channel in memory; `bend` may drop, change or reorder what is sent."""

    inbox: asyncio.Queue[Signal] = field(default_factory=asyncio.Queue)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[Signal] = field(default_factory=list)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    other: Wire | None = None
    bend: Callable[[Signal], Iterable[Signal]] | None = None

    async def send(self, kind, /, **body):
        signal = Signal(kind, body, len(self.sent) + 1)
        self.sent.append(signal)
        self.began.set()
        for bent in [signal] if self.bend is None else self.bend(signal):
            self.other.inbox.put_nowait(bent)

    async def receive(self, timeout=None):
        async with asyncio.timeout(timeout):  # wait_for would swallow a cancellation that comes with a signal
            return await self.inbox.get()


def wires() -> tuple[Wire, Wire]:
    left, right = Wire(), Wire()
    left.other, right.other = right, left
    return left, right


async def both(left: Wire, right: Wire, deadline: float = DEADLINE) -> tuple[PeerResult, PeerResult]:
    """An offerer and an answerer who try to connect."""
    network = Loopback()
    return await asyncio.gather(
        connect_peer(left, Role.OFFERER, network, deadline), connect_peer(right, Role.ANSWERER, network, deadline)
    )


@dataclass
class Pair:
    """Two peers with what became of their first attempt."""

    wires: tuple[Wire, Wire]
    peers: tuple[Peer, Peer]
    results: tuple[PeerResult, PeerResult]


@asynccontextmanager
async def connected(**options):
    """A pair that has tried to connect and stands until the end of the block."""
    left, right = wires()
    network = Loopback()
    async with Peer(Role.OFFERER, network, **options) as one, Peer(Role.ANSWERER, network, **options) as other:
        results = await asyncio.gather(one.connect(left, DEADLINE), other.connect(right, DEADLINE))
        yield Pair((left, right), (one, other), tuple(results))
