"""Peers on this machine alone: their only candidates are loopback addresses."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from harness.network.host_addresses import offered


@dataclass(frozen=True)
class Loopback:
    """A network of one machine: no NAT, no STUN, no TURN; nothing leaves it.

    Args:
        address: the loopback address that peers gather their host candidates on.
    """

    address: str = "127.0.0.1"
    name: str = "loopback"

    @property
    def ice_servers(self) -> tuple[dict[str, str], ...]:
        """None at all: aiortc's own default would be a public STUN host."""
        return ()

    def attached(self) -> AbstractContextManager[None]:
        """Whoever gathers candidates inside this block gathers them on this network."""
        return offered((self.address,))
