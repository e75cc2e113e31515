"""A virtual host: its addresses, its sockets, and the mark that says which host the running code is on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from harness.network.vnet.link import Conditions
from harness.network.vnet.packet import Address, Flag, Packet, Segment
from harness.network.vnet.realm import Realm

_EPHEMERAL = 49152
_HIGHEST = 65535
_here: ContextVar[Host | None] = ContextVar("virtual_host", default=None)


class Socket(Protocol):
    """Whatever takes the packets of one port, or of one connection."""

    def take(self, packet: Packet) -> None:
        """Takes a packet that was sent to it."""

    def shut(self) -> None:
        """Ends it at once; its host is going away."""


class Host:
    """A host with its addresses in one realm. The first address is the one that it sends from when it is not told."""

    def __init__(self, realm: Realm, addresses: tuple[str, ...], conditions: Conditions | None = None) -> None:
        self.addresses = addresses
        self.world = realm.world
        self.line = realm.attach(self, addresses, conditions)
        self._realm = realm
        self._sockets: dict[tuple[str, Address, Address | None], Socket] = {}
        self._next_port = _EPHEMERAL

    @property
    def open_sockets(self) -> int:
        """How many sockets are open on it."""
        return len(self._sockets)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets opened inside this block, and in tasks started there, are this host's."""
        token = _here.set(self)
        try:
            yield
        finally:
            _here.reset(token)

    def close(self) -> None:
        """Ends all sockets and leaves the network."""
        for socket in list(self._sockets.values()):
            socket.shut()
        self._sockets.clear()
        self._realm.detach(self.addresses)

    def bind(self, proto: str, local: Address, socket: Socket, remote: Address | None = None) -> Address:
        """Opens a socket; the port 0 stands for any free one. Returns its address.

        Raises:
            OSError: the address is not the host's, or is in use, or there is no port left.
        """
        address = self.addresses[0] if local[0] in {"", "0.0.0.0", "::"} else local[0]
        if address not in self.addresses:
            raise OSError(errno.EADDRNOTAVAIL, f"{address} is no address of this host")
        bound = (address, local[1] or self._free_port(proto, address))
        if (proto, bound, remote) in self._sockets:
            raise OSError(errno.EADDRINUSE, f"{bound[0]}:{bound[1]} is in use")
        self._sockets[proto, bound, remote] = socket
        return bound

    def unbind(self, proto: str, local: Address, remote: Address | None = None) -> None:
        """Closes a socket. May be called twice."""
        self._sockets.pop((proto, local, remote), None)

    def send(self, packet: Packet) -> None:
        """Sends a packet of a socket of its own."""
        self.world.sent(packet)
        if packet.destination[0] in self.addresses:
            self.world.loop.call_soon(self.arrive, packet)
        else:
            self.line.send(packet)

    def arrive(self, packet: Packet) -> None:
        """Hands a packet to its socket: to the connection that it belongs to, else to the port."""
        sockets = self._sockets
        socket = sockets.get((packet.proto, packet.destination, packet.source)) if packet.proto == "tcp" else None
        socket = socket or sockets.get((packet.proto, packet.destination, None))
        if socket is not None:
            socket.take(packet)
            return
        self.world.drop("no socket")
        if isinstance(packet.payload, Segment) and packet.payload.flag is not Flag.RESET:
            self.send(Packet("tcp", packet.destination, packet.source, Segment(Flag.RESET)))

    def _free_port(self, proto: str, address: str) -> int:
        for _ in range(_HIGHEST - _EPHEMERAL + 1):
            port = self._next_port
            self._next_port = port + 1 if port < _HIGHEST else _EPHEMERAL
            if (proto, (address, port), None) not in self._sockets:
                return port
        raise OSError(errno.EADDRNOTAVAIL, f"{address} has no free port left")


def here() -> Host | None:
    """The host that the running code is on; None outside all of them."""
    return _here.get()
