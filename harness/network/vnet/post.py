"""All packets on their way, in the order of their arrival: one timer of the loop serves them all."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from harness.network.vnet.packet import Packet

INSTANT = 1e-9
"""Seconds between two packets that would arrive at once, so that they stay in order."""


class Post:
    """Delivers packets when they are due, always later than they are sent, and in no host's context."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._nowhere = contextvars.Context()
        self._waiting: list[tuple[float, int, Callable[[Packet], None], Packet]] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None
        self._delivering = False

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return self._loop.time()

    def send(self, arrival: float, deliver: Callable[[Packet], None], packet: Packet) -> None:
        """Has the packet delivered at that time of the loop's clock."""
        heappush(self._waiting, (arrival, next(self._numbers), deliver, packet))
        if not self._delivering and (self._timer is None or arrival < self._timer.when()):
            self._schedule()

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._timer = self._loop.call_at(self._waiting[0][0], self._deliver, context=self._nowhere)

    def _deliver(self) -> None:
        self._timer = None
        self._delivering = True
        due = self._loop.time() + INSTANT
        try:
            while self._waiting and self._waiting[0][0] <= due:
                _, _, deliver, packet = heappop(self._waiting)
                deliver(packet)
        finally:
            self._delivering = False
            self._schedule()
