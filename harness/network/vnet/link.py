"""One direction of a line: delay, jitter, loss, reordering and rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from harness.network.vnet.packet import Packet
from harness.network.vnet.post import INSTANT, Post

_RETRANSMISSION = 0.2
"""Seconds after which TCP sends a lost segment again; doubled each time (RFC 6298, with Linux's minimum)."""
_BUFFER = 1.0
"""Seconds of traffic that a line of limited rate queues before it drops."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a line does to packets, per direction.

    Args:
        delay: seconds that each packet takes.
        jitter: by how many seconds that varies, up or down, evenly.
        loss: share of packets that are lost, 0 to 1. TCP sends again, which takes time.
        reordering: share of packets that are held back by another `delay`, and overtaken. Jitter alone never reorders.
        rate: bytes per second; 0 for no limit. What would wait for more than a second is lost.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    reordering: float = 0.0
    rate: float = 0.0


class Link:
    """One direction of a line. Packets leave it in order, but for those held back."""

    def __init__(self, post: Post, conditions: Conditions, chance: Random) -> None:
        self.conditions = conditions
        """May be replaced at any time: packets sent later meet the new ones."""
        self.cut = False
        """Whether everything is lost: a blackhole."""
        self.lost = 0
        self._post = post
        self._chance = chance
        self._last = 0.0
        self._free = 0.0

    def carry(self, packet: Packet, deliver: Callable[[Packet], None]) -> None:
        """Has the packet delivered in time, or never. Never at once."""
        arrival = self._arrival(packet)
        if arrival is None:
            self.lost += 1
        else:
            self._post.send(arrival, deliver, packet)

    def _arrival(self, packet: Packet) -> float | None:
        """When it arrives on the loop's clock; None for never."""
        conditions, now = self.conditions, self._post.now()
        patience = self._patience(packet)
        if patience is None or self.cut:
            return None
        queued = self._queued(packet, now)
        if queued is None:
            return None
        varied = self._chance.uniform(-conditions.jitter, conditions.jitter) if conditions.jitter else 0.0
        arrival = max(now + queued + patience + max(conditions.delay + varied, 0.0), self._last + INSTANT)
        if conditions.reordering and self._chance.random() < conditions.reordering:
            return arrival + conditions.delay
        self._last = arrival
        return arrival

    def _patience(self, packet: Packet) -> float | None:
        """Seconds that losses cost: none, or those of TCP's retransmissions; None where the packet is lost."""
        loss, spent, wait = self.conditions.loss, 0.0, _RETRANSMISSION
        while loss and self._chance.random() < loss:
            if packet.proto == "udp" or loss >= 1:
                return None
            spent, wait = spent + wait, 2 * wait
        return spent

    def _queued(self, packet: Packet, now: float) -> float | None:
        """Seconds that it waits for the line and takes on it; None where the queue is full."""
        if not self.conditions.rate:
            return 0.0
        waiting = max(self._free - now, 0.0)
        if waiting > _BUFFER and packet.proto == "udp":
            return None
        self._free = now + waiting + packet.size / self.conditions.rate
        return self._free - now
