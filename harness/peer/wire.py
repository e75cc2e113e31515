"""A signal channel in memory, for pairs that meet without any target."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class WireSignal:
    """One signal on its way; see `ports.Incoming`."""

    kind: str
    seq: int | None
    body: Mapping[str, Any]


@dataclass(eq=False)
class Wire:
    """One end of it; see `ports.SignalPort`. Nothing is lost, and nothing takes time."""

    inbox: asyncio.Queue[WireSignal] = field(default_factory=asyncio.Queue)
    outbox: asyncio.Queue[WireSignal] = field(default_factory=asyncio.Queue)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0

    async def send(self, kind: str, /, **body: Any) -> bool:
        """Gives a signal to the other end."""
        self.sent += 1
        self.outbox.put_nowait(WireSignal(kind, self.sent, body))
        return True

    async def receive(self, timeout: float | None = None) -> WireSignal:
        """The other end's next signal. Raises TimeoutError when none comes within `timeout` seconds; None: for ever."""
        async with asyncio.timeout(timeout):
            return await self.inbox.get()


def wires() -> tuple[Wire, Wire]:
    """Both ends."""
    left = Wire()
    return left, Wire(inbox=left.outbox, outbox=left.inbox)
