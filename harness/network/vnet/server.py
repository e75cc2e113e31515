"""The transports of the STUN and TURN server: UDP on two addresses and two ports, TCP, and TLS on port 443."""

from __future__ import annotations

import asyncio
import ssl
import struct
from functools import partial
from typing import Any

from aioice.stun import padding_length

from harness.network.vnet.datagram import DatagramSocket
from harness.network.vnet.host import Host
from harness.network.vnet.loop import VirtualLoop
from harness.network.vnet.packet import Address
from harness.network.vnet.relay import OTHER_PORT, PORT, Client, Relay
from harness.network.vnet.stream import Listener

TLS_PORT = 443


class TurnServer:
    """A STUN and TURN server on a virtual host, reachable once it is open.

    Args:
        host: where it runs, with two addresses.
        secret: of the ephemeral credentials.
        context: a server's TLS context; None for no TLS.
    """

    def __init__(self, host: Host, secret: str, context: ssl.SSLContext | None = None) -> None:
        self.relay = Relay(host, secret, self._answer_from)
        self._host = host
        self._context = context
        self._datagrams: dict[Address, DatagramSocket] = {}
        self._listeners: list[Listener] = []

    def open(self, loop: VirtualLoop) -> None:
        """Opens all its ports."""
        with self._host.entered():
            for address in self._host.addresses:
                for port in (PORT, OTHER_PORT):
                    self._open_datagram((address, port))
            here = self._host.addresses[0]
            self._listeners.append(loop.listen(lambda: _Stream(self.relay, "tcp"), (here, PORT)))
            if self._context is not None:
                self._listeners.append(loop.listen(lambda: _Stream(self.relay, "tls"), (here, TLS_PORT), self._context))

    def close(self) -> None:
        """Ends all allocations and closes all ports."""
        self.relay.close()
        for listener in self._listeners:
            listener.close()
        for datagrams in self._datagrams.values():
            datagrams.close()

    def _open_datagram(self, address: Address) -> None:
        protocol = _Datagrams(self.relay, address)
        self._datagrams[address] = socket = DatagramSocket(self._host, protocol, address, None)
        protocol.connection_made(socket)

    def _answer_from(self, origin: Address, data: bytes, to: Address) -> None:
        self._datagrams[origin].sendto(data, to)


class _Datagrams(asyncio.DatagramProtocol):
    """One UDP port: each datagram is a message."""

    def __init__(self, relay: Relay, address: Address) -> None:
        self._relay = relay
        self._address = address
        self._socket: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        send = partial(self._socket.sendto, addr=addr)
        self._relay.take(data, Client("udp", addr, self._address, send))


class _Stream(asyncio.Protocol):
    """One TCP or TLS connection: messages one after another, padded to four bytes (RFC 8656 section 12.5)."""

    def __init__(self, relay: Relay, transport: str) -> None:
        self._relay = relay
        self._kind = transport
        self._buffer = b""
        self._client: Client | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101  it is a protocol of streams
        write = transport.write
        address, server = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._client = Client(self._kind, address, server, lambda data: write(data + bytes(padding_length(len(data)))))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  why it ended does not matter
        if self._client is not None:
            self._relay.gone(self._client)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._client is not None and (size := _message_size(self._buffer)) <= len(self._buffer):
            message, self._buffer = self._buffer[:size], self._buffer[size:]
            self._relay.take(message, self._client)


def _message_size(data: bytes) -> int:
    """How long the first message is, padded; more than there is while its header is not complete."""
    if len(data) < 4:
        return 4
    length = struct.unpack("!H", data[2:4])[0]
    channel = data[0] & 0xC0 == 0x40
    return 4 + length + int(padding_length(length)) if channel else 20 + int(length)
