"""Addresses to give out and to take back."""

from __future__ import annotations

from collections import deque
from ipaddress import IPv4Address, IPv4Network


class AddressPool:
    """The host addresses of one network, each given out once; returned ones come again when all others were used."""

    def __init__(self, network: str) -> None:
        parsed = IPv4Network(network)
        self._next = int(parsed.network_address) + 1
        self._last = int(parsed.broadcast_address) - 1
        self._range = range(self._next, self._last + 1)
        self._returned: deque[str] = deque()

    def __contains__(self, address: str) -> bool:
        """Whether it is one of this network's."""
        return int(IPv4Address(address)) in self._range

    def take(self) -> str:
        """An address that nobody has. Raises IndexError when there is none left."""
        if self._next > self._last:
            return self._returned.popleft()
        self._next += 1
        return str(IPv4Address(self._next - 1))

    def give_back(self, address: str) -> None:
        """Whoever had it does not need it any more."""
        self._returned.append(address)
