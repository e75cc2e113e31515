"""One TURN allocation: its relayed address, its permissions and channels, and its end (RFC 8656)."""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from aioice import stun

from harness.network.vnet.packet import Address

PERMISSION_LIFE = 300.0
"""Seconds (RFC 8656 section 9)."""
CHANNEL_LIFE = 600.0
"""Seconds (RFC 8656 section 12)."""
CHANNELS = range(0x4000, 0x5000)
"""The numbers that a channel may have (RFC 8656 section 12)."""

_FORBIDDEN = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip


@lru_cache(maxsize=4096)
def may_relay_to(address: str) -> bool:
    """Whether the relay sends to this address: none that is loopback, link-local, private or special (ASVS 17.1)."""
    parsed = ipaddress.ip_address(address)
    return parsed.version == 4 and not any(parsed in network for network in _FORBIDDEN)


class Allocation(asyncio.DatagramProtocol):
    """One relayed address of one client, as the protocol of its UDP socket.

    Args:
        username: whose it is; nobody else may use it.
        send: carries bytes to the client.
        count: told of each payload's size, in bytes.
        over: called when the allocation has ended.
    """

    def __init__(
        self, username: str, send: Callable[[bytes], None], count: Callable[[int], None], over: Callable[[], None]
    ) -> None:
        self.username = username
        self.born_of = b""
        """The transaction that made it: the same request again is answered alike (RFC 8656 section 7.2)."""
        self.lifetime = 0
        self._send = send
        self._count = count
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._permissions: dict[str, float] = {}
        self._peers: dict[int, Address] = {}
        self._channels: dict[Address, int] = {}
        self._channel_ends: dict[int, float] = {}
        self._end: asyncio.TimerHandle | None = None

    @property
    def relayed(self) -> Address:
        """Where it relays from."""
        assert self._transport is not None  # noqa: S101  it is made with its socket
        address: Address = self._transport.get_extra_info("sockname")
        return address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Its socket is open."""
        assert isinstance(transport, asyncio.DatagramTransport)  # noqa: S101  it is a protocol of datagrams
        self._transport = transport

    def prolong(self, seconds: int) -> None:
        """Has it end so many seconds from now; 0 ends it (RFC 8656 section 8)."""
        self.lifetime = seconds
        if self._end is not None:
            self._end.cancel()
            self._end = None
        if seconds:
            self._end = self._loop.call_later(seconds, self.close)
        else:
            self.close()

    def close(self) -> None:
        """Ends it. May be called twice."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._end is not None:
            self._end.cancel()
        self._transport.close()
        self._over()

    def permit(self, address: str) -> None:
        """Lets a peer's address send and be sent to, for some minutes."""
        self._permissions[address] = self._loop.time() + PERMISSION_LIFE

    def bind(self, channel: int, peer: Address) -> bool:
        """Binds a channel, or prolongs it; False where the number or the peer is bound otherwise."""
        now = self._loop.time()
        bound, used = self._peers.get(channel), self._channels.get(peer)
        if bound not in (None, peer) and self._channel_ends[channel] > now:
            return False
        if used not in (None, channel) and self._channel_ends[used] > now:
            return False
        self._peers[channel] = peer
        self._channels[peer] = channel
        self._channel_ends[channel] = now + CHANNEL_LIFE
        self.permit(peer[0])
        return True

    def relay(self, data: bytes, peer: Address) -> None:
        """From the client to a peer that has a permission; otherwise nowhere."""
        if self._transport is not None and self._permits(peer[0]):
            self._count(len(data))
            self._transport.sendto(data, peer)

    def relay_channel(self, channel: int, data: bytes) -> None:
        """From the client to the peer of a channel."""
        peer = self._peers.get(channel)
        if peer is not None and self._channel_ends[channel] > self._loop.time():
            self.relay(data, peer)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """From a peer to the client, in its channel where there is one."""
        if not self._permits(addr[0]):
            return
        self._count(len(data))
        channel = self._channels.get(addr)
        if channel is not None and self._channel_ends[channel] > self._loop.time():
            self._send(struct.pack("!HH", channel, len(data)) + data)
        else:
            attributes = {"XOR-PEER-ADDRESS": addr, "DATA": data}
            self._send(bytes(stun.Message(stun.Method.DATA, stun.Class.INDICATION, attributes=attributes)))

    def _permits(self, address: str) -> bool:
        return self._permissions.get(address, 0.0) > self._loop.time()
