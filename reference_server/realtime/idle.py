"""Which sockets have been silent, or without a channel, for too long; no I/O, the clock is given (PROTOCOL 1.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SILENT = (1000, "no data for too long")
CHANNELLESS = (1000, "no channel for too long")


@dataclass(slots=True)
class Activity:
    """When a socket's client last sent a frame, and since when it has had no channel (None: it has one)."""

    heard_at: float
    channelless_since: float | None

    def verdict(self, now: float, silence: float, channelless: float) -> tuple[int, str] | None:
        """The close code and reason for a socket that has to go; None for one that may stay."""
        if now - self.heard_at > silence:
            return SILENT
        if self.channelless_since is not None and now - self.channelless_since > channelless:
            return CHANNELLESS
        return None


def sweep_interval(limits: Iterable[float]) -> float:
    """How often to look: no socket outstays its limit by more than a tenth, nor by more than five seconds."""
    return min(5.0, *(limit / 10 for limit in limits))
