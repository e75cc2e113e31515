"""UDP sockets of virtual hosts, as asyncio transports."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from harness.network.vnet.host import Host
from harness.network.vnet.packet import Address, Packet


class DatagramSocket(asyncio.DatagramTransport):
    """A UDP socket. What arrives is handled in the context that it was opened in: on its own host.

    Raises:
        OSError: see `Host.bind`.
    """

    def __init__(
        self, host: Host, protocol: asyncio.DatagramProtocol, local: Address | None, remote: Address | None
    ) -> None:
        super().__init__()
        self._host = host
        self._protocol = protocol
        self._remote = remote
        self._context = contextvars.copy_context()
        self._closing = False
        self._local = host.bind("udp", local or ("", 0), self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`sockname` and `peername`; there is no `socket`."""
        return {"sockname": self._local, "peername": self._remote}.get(name) or default

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        """Sends one datagram, to the given address or to the one that it is connected to."""
        target = addr or self._remote
        if target is None:
            raise ValueError("a datagram needs an address to go to")
        if not self._closing:
            self._host.send(Packet("udp", self._local, (target[0], target[1]), bytes(data)))

    def take(self, packet: Packet) -> None:
        """Hands a datagram to the protocol; a connected socket takes those of its peer alone."""
        payload = packet.payload
        if not self._closing and self._remote in (None, packet.source) and isinstance(payload, bytes):
            self._context.run(self._protocol.datagram_received, payload, packet.source)

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def close(self) -> None:
        """Closes it; the protocol hears of it soon."""
        if not self._closing:
            self._closing = True
            self._host.unbind("udp", self._local)
            self._host.world.loop.call_soon(self._protocol.connection_lost, None, context=self._context)

    abort = close
    shut = close
