"""A STUN and TURN server (RFC 8489, RFC 8656, RFC 5780), apart from the transports that it is reached by."""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aioice import stun

from harness.network.vnet.allocation import CHANNELS, Allocation, may_relay_to
from harness.network.vnet.credentials import expiry_of, long_term_key, password_of
from harness.network.vnet.datagram import DatagramSocket
from harness.network.vnet.host import Host
from harness.network.vnet.packet import Address

PORT = 3478
"""The port of STUN and TURN (RFC 8489 section 8)."""
OTHER_PORT = 3479
"""The second port, for discovery (RFC 5780 section 6)."""
REALM = "lab"
EPOCH = 1_800_000_000
"""What the server's clock says, in Unix seconds, when its loop's says 0: a virtual network has dates of its own."""
_LONGEST, _DEFAULT, _NONCE_LIFE = 3600, 600, 3600
_UDP = 0x11000000
_CHANGE_ADDRESS, _CHANGE_PORT = 0x04, 0x02


class _Refused(Exception):
    """An error response: its code and reason (RFC 8489 section 14.8)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Client:
    """Whence a message came: the 5-tuple, and the way back."""

    transport: str
    address: Address
    server: Address
    send: Callable[[bytes], None]

    @property
    def key(self) -> tuple[str, Address, Address]:
        """The 5-tuple, which names an allocation."""
        return self.transport, self.address, self.server


class Relay:
    """The server on one host. Its transports give it messages; it opens the relayed sockets itself.

    Args:
        host: where it runs, with two addresses (RFC 5780 section 6); it relays from the first.
        secret: of the ephemeral credentials.
        answer_from: sends bytes to a client from another of the server's addresses.
    """

    def __init__(self, host: Host, secret: str, answer_from: Callable[[Address, bytes, Address], None]) -> None:
        self.allocations: dict[tuple[str, Address, Address], Allocation] = {}
        self.relayed_bytes = 0
        """Payload bytes that were relayed, both ways."""
        self.refusals: list[tuple[int, str]] = []
        """The last error responses but for the 401 that every client begins with: code and reason."""
        self._host = host
        self._secret = secret
        self._answer_from = answer_from
        self._loop = host.world.loop

    def now(self) -> float:
        """The server's date, in Unix seconds."""
        return EPOCH + self._loop.time()

    def close(self) -> None:
        """Ends all allocations."""
        for allocation in list(self.allocations.values()):
            allocation.close()

    def gone(self, client: Client) -> None:
        """The client's connection ended: so does its allocation (RFC 8656 section 8)."""
        if (allocation := self.allocations.get(client.key)) is not None:
            allocation.close()

    def take(self, data: bytes, client: Client) -> None:
        """Takes one message of a client: ChannelData, a request, or an indication."""
        if len(data) >= 4 and data[0] & 0xC0 == 0x40:
            self._take_channel(data, client)
            return
        try:
            message = stun.parse_message(data)
        except ValueError:
            return
        if message.message_class == stun.Class.REQUEST:
            self._answer(message, client)
        elif message.message_class == stun.Class.INDICATION and message.message_method == stun.Method.SEND:
            self._take_send(message, client)

    # ------------------------------------------------------------ data

    def _take_channel(self, data: bytes, client: Client) -> None:
        channel, length = struct.unpack("!HH", data[:4])
        allocation = self.allocations.get(client.key)
        if allocation is not None and len(data) >= 4 + length:
            allocation.relay_channel(channel, data[4 : 4 + length])

    def _take_send(self, message: stun.Message, client: Client) -> None:
        allocation = self.allocations.get(client.key)
        peer, data = message.attributes.get("XOR-PEER-ADDRESS"), message.attributes.get("DATA")
        if allocation is not None and peer is not None and data is not None:
            allocation.relay(data, peer)

    def _count(self, size: int) -> None:
        self.relayed_bytes += size

    # ------------------------------------------------------------ requests

    def _answer(self, request: stun.Message, client: Client) -> None:
        if request.message_method == stun.Method.BINDING:
            self._answer_binding(request, client)
            return
        response = stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)
        key = None
        try:
            username, key = self._authenticated(request)
            response.attributes |= self._done(request, client, username)
        except _Refused as refused:
            response.message_class = stun.Class.ERROR
            response.attributes["ERROR-CODE"] = (refused.code, refused.reason)
            self._invite(response, refused, shown="USERNAME" in request.attributes)
        if key is not None:
            response.add_message_integrity(key)
        client.send(bytes(response))

    def _invite(self, response: stun.Message, refused: _Refused, *, shown: bool) -> None:
        """Names realm and nonce where the client may try again with them (RFC 8489 section 9.2.4)."""
        if refused.code in {401, 438}:
            response.attributes |= {"REALM": REALM, "NONCE": self._nonce(int(self.now()))}
        if shown or refused.code != 401:
            self.refusals = [*self.refusals[-99:], (refused.code, refused.reason)]

    def _authenticated(self, request: stun.Message) -> tuple[str, bytes]:
        """The user and the key of a request (RFC 8489 section 9.2.4). Raises _Refused."""
        shown = request.attributes
        if "MESSAGE-INTEGRITY" not in shown:
            raise _Refused(401, "Unauthenticated")
        if not {"USERNAME", "REALM", "NONCE"} <= set(shown):
            raise _Refused(400, "Bad Request")
        username = shown["USERNAME"]
        key = long_term_key(username, REALM, password_of(self._secret, username))
        expiry = expiry_of(username)
        if expiry is None or expiry <= self.now() or not request.check_message_integrity(key):
            raise _Refused(401, "Unauthenticated")
        if not self._is_fresh(shown["NONCE"]):
            raise _Refused(438, "Stale Nonce")
        return username, key

    def _done(self, request: stun.Message, client: Client, username: str) -> dict[str, Any]:
        """Does what is asked; returns the attributes of the success. Raises _Refused."""
        match request.message_method:
            case stun.Method.ALLOCATE:
                return self._allocate(request, client, username)
            case stun.Method.REFRESH:
                return self._refresh(request, client, username)
            case stun.Method.CREATE_PERMISSION:
                self._owned(client, username).permit(self._peer(request)[0])
                return {}
            case stun.Method.CHANNEL_BIND:
                return self._bind(request, client, username)
            case _:
                raise _Refused(400, "Bad Request")

    def _allocate(self, request: stun.Message, client: Client, username: str) -> dict[str, Any]:
        """RFC 8656 section 7.2."""
        allocation = self.allocations.get(client.key)
        if allocation is not None and allocation.born_of != request.transaction_id:
            raise _Refused(437, "Allocation Mismatch")
        if "REQUESTED-TRANSPORT" not in request.attributes:
            raise _Refused(400, "Bad Request")
        if request.attributes["REQUESTED-TRANSPORT"] & 0xFF000000 != _UDP:
            raise _Refused(442, "Unsupported Transport Protocol")
        if allocation is None:
            allocation = self._opened(client, username)
            allocation.born_of = request.transaction_id
            allocation.prolong(max(min(request.attributes.get("LIFETIME", _DEFAULT), _LONGEST), _DEFAULT))
        return {
            "XOR-RELAYED-ADDRESS": allocation.relayed,
            "LIFETIME": allocation.lifetime,
            "XOR-MAPPED-ADDRESS": client.address,
        }

    def _opened(self, client: Client, username: str) -> Allocation:
        allocation = Allocation(username, client.send, self._count, lambda: self._forget(client))
        try:
            allocation.connection_made(DatagramSocket(self._host, allocation, None, None))
        except OSError:
            raise _Refused(508, "Insufficient Capacity") from None
        self.allocations[client.key] = allocation
        return allocation

    def _forget(self, client: Client) -> None:
        self.allocations.pop(client.key, None)

    def _refresh(self, request: stun.Message, client: Client, username: str) -> dict[str, Any]:
        """RFC 8656 section 8.2; ending what has ended already succeeds."""
        asked = request.attributes.get("LIFETIME", _DEFAULT)
        if asked == 0 and client.key not in self.allocations:
            return {"LIFETIME": 0}
        lifetime = asked and max(min(asked, _LONGEST), _DEFAULT)
        self._owned(client, username).prolong(lifetime)
        return {"LIFETIME": lifetime}

    def _bind(self, request: stun.Message, client: Client, username: str) -> dict[str, Any]:
        """RFC 8656 section 12.2."""
        allocation = self._owned(client, username)
        number = request.attributes.get("CHANNEL-NUMBER", 0)
        peer = self._peer(request)
        if number not in CHANNELS or not allocation.bind(number, peer):
            raise _Refused(400, "Bad Request")
        return {}

    def _owned(self, client: Client, username: str) -> Allocation:
        allocation = self.allocations.get(client.key)
        if allocation is None:
            raise _Refused(437, "Allocation Mismatch")
        if allocation.username != username:
            raise _Refused(441, "Wrong Credentials")
        return allocation

    def _peer(self, request: stun.Message) -> Address:
        peer: Address | None = request.attributes.get("XOR-PEER-ADDRESS")
        if peer is None:
            raise _Refused(400, "Bad Request")
        if not may_relay_to(peer[0]):
            raise _Refused(403, "Forbidden")
        return peer

    # ------------------------------------------------------------ nonces

    def _nonce(self, issued: int) -> bytes:
        proof = hmac.digest(self._secret.encode(), b"nonce %d" % issued, "sha1")[:8]
        return b"%d-%s" % (issued, proof.hex().encode())

    def _is_fresh(self, nonce: bytes) -> bool:
        issued = nonce.partition(b"-")[0]
        known = issued.isdigit() and hmac.compare_digest(nonce, self._nonce(int(issued)))
        return known and self.now() - int(issued) < _NONCE_LIFE

    # ------------------------------------------------------------ binding

    def _answer_binding(self, request: stun.Message, client: Client) -> None:
        """A reflexive address, with RFC 5780's attributes, from whichever address CHANGE-REQUEST asks for."""
        response = stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = client.address
        if client.transport != "udp":
            client.send(bytes(response))
            return
        change = request.attributes.get("CHANGE-REQUEST", 0)
        ours, port = client.server
        theirs = next(address for address in self._host.addresses if address != ours)
        other_port = OTHER_PORT if port == PORT else PORT
        origin = (theirs if change & _CHANGE_ADDRESS else ours, other_port if change & _CHANGE_PORT else port)
        response.attributes |= {"RESPONSE-ORIGIN": origin, "OTHER-ADDRESS": (theirs, other_port)}
        self._answer_from(origin, bytes(response), client.address)
