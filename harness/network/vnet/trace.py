"""A fingerprint of everything that hosts sent, to tell whether two runs were the same."""

from __future__ import annotations

import hashlib

from harness.network.vnet.packet import Packet, Segment


class Trace:
    """Takes packets as they leave their hosts; give it to `World.watchers`.

    Args:
        contents: whether payloads count. Those of DTLS never repeat: OpenSSL draws its own random numbers.
    """

    def __init__(self, *, contents: bool = True) -> None:
        self.packets = 0
        self._contents = contents
        self._hash = hashlib.blake2b(digest_size=16)

    def __call__(self, now: float, packet: Packet) -> None:
        """Takes one packet."""
        self.packets += 1
        self._hash.update(f"{now:.9f} {packet.proto} {packet.source} {packet.destination} ".encode())
        if self._contents:
            payload = packet.payload
            self._hash.update(payload.data if isinstance(payload, Segment) else payload)

    def digest(self) -> str:
        """What came so far, as 32 hexadecimal digits."""
        return self._hash.hexdigest()
