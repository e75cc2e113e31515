"""Asks a TURN server as a peer would, one question at a time, and tells how each was answered (RFC 8656)."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from aioice import stun
from aioice.turn import UDP_TRANSPORT, make_integrity_key

Address = tuple[str, int]

PATIENCE = 8.0
"""Seconds that a server may take to answer; requests are sent again meanwhile (RFC 8489 section 6.2.1)."""


class NoRelay(Exception):
    """The server gave no answer, or one that is none of TURN."""


@dataclass(frozen=True, slots=True)
class TurnServer:
    """A TURN server's address (RFC 7065)."""

    host: str
    port: int
    transport: str

    @classmethod
    def of(cls, uri: str) -> Self:
        """Reads `turn:host:port?transport=udp`. Raises ValueError for what is no such address."""
        scheme, _, rest = uri.partition(":")
        place, _, query = rest.partition("?")
        host, port = _host_and_port(place, "5349" if scheme == "turns" else "3478")
        if scheme not in {"turn", "turns"} or not host or not port.isdigit():
            raise ValueError(f"{uri!r} is no address of a TURN server")
        transport = parse_qs(query).get("transport", ["tcp" if scheme == "turns" else "udp"])[0]
        return cls(host, int(port), "tls" if scheme == "turns" else transport)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response: its code (RFC 8489 section 14.8), and its reason."""

    code: int
    reason: str

    def __str__(self) -> str:
        return f"{self.code} {self.reason}".rstrip()


class TurnProbe(asyncio.DatagramProtocol):
    """One client of a TURN server over UDP, as an async context manager.

    Where the server is on this machine's loopback, the client is at the server's own address: a server there may relay
    to that address alone.
    """

    def __init__(self, server: TurnServer, username: str, password: str) -> None:
        self._server = (server.host, server.port)
        self._username = username
        self._password = password
        self._key: bytes | None = None
        self._realm = ""
        self._nonce = b""
        self._waiting: dict[bytes, stun.Transaction] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._arrived = asyncio.Event()
        self.relayed: Address = ("", 0)
        """Where the server relays from, after `allocate`."""
        self.mapped: Address = ("", 0)
        """Where the server sees us, after `allocate`."""
        self.lifetime = 0
        """Seconds that the allocation lasts, after `allocate`."""
        self.data: list[tuple[bytes, Address]] = []
        """What was relayed to us, and from where."""
        self.datagrams: list[tuple[bytes, Address]] = []
        """What came to us beside the protocol: we are a peer, too."""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        local = (self._server[0], 0) if _is_loopback(self._server[0]) else None
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: self, local_addr=local, remote_addr=None if local else self._server
            )
        except OSError as error:
            raise NoRelay(f"{self._server[0]}:{self._server[1]} is out of reach ({error})") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.relayed[1]:
            with suppress(NoRelay):
                await self._ask(stun.Method.REFRESH, {"LIFETIME": 0})
        if self._transport is not None:
            self._transport.close()

    @property
    def address(self) -> Address:
        """Where we are, as this machine knows it."""
        assert self._transport is not None  # noqa: S101 — inside the context
        host, port = self._transport.get_extra_info("sockname")[:2]
        return str(host), int(port)

    async def allocate(self) -> Refusal | None:
        """Asks for a relay (RFC 8656 section 7). None where it was given.

        Raises:
            NoRelay: no answer, or one that is none of TURN.
        """
        answer = await self._ask(stun.Method.ALLOCATE, {"LIFETIME": 600, "REQUESTED-TRANSPORT": UDP_TRANSPORT})
        if isinstance(answer, Refusal):
            return answer
        try:
            self.relayed = answer["XOR-RELAYED-ADDRESS"]
            self.mapped = answer["XOR-MAPPED-ADDRESS"]
            self.lifetime = answer["LIFETIME"]
        except KeyError as missing:
            raise NoRelay(f"the server's answer to Allocate is without {missing}") from None
        return None

    async def permit(self, address: str) -> Refusal | None:
        """Asks that this address may be relayed to (RFC 8656 section 9); nothing is sent there. Raises NoRelay."""
        answer = await self._ask(stun.Method.CREATE_PERMISSION, {"XOR-PEER-ADDRESS": (address, 9)})
        return answer if isinstance(answer, Refusal) else None

    async def bind(self, number: int, address: str) -> Refusal | None:
        """Asks for the channel of this number (from 0) to this address (RFC 8656 section 11); nothing is sent there.

        Raises:
            NoRelay: no answer.
        """
        channel = {"CHANNEL-NUMBER": 0x4000 + number, "XOR-PEER-ADDRESS": (address, 9)}
        answer = await self._ask(stun.Method.CHANNEL_BIND, channel)
        return answer if isinstance(answer, Refusal) else None

    def send(self, data: bytes, peer: Address) -> None:
        """Sends to a peer through the relay (RFC 8656 section 11.1)."""
        attributes = {"XOR-PEER-ADDRESS": peer, "DATA": data}
        self.send_stun(stun.Message(stun.Method.SEND, stun.Class.INDICATION, attributes=attributes), self._server)

    def send_past(self, data: bytes, to: Address) -> None:
        """Sends a datagram past the relay, as a peer does."""
        assert self._transport is not None  # noqa: S101 — inside the context
        self._transport.sendto(data, to)

    async def until(self, condition: Callable[[], Any], patience: float = PATIENCE) -> bool:
        """Waits until the condition holds, looking whenever something came."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not condition():
                    self._arrived.clear()
                    await self._arrived.wait()
        return bool(condition())

    # ------------------------------------------------------------ inside

    async def _ask(self, method: stun.Method, attributes: dict[str, Any]) -> dict[str, Any] | Refusal:
        """Asks, and again with credentials when the server names its realm (RFC 8489 section 9.2)."""
        for _ in range(3):
            answer = await self._transaction(method, attributes)
            if not isinstance(answer, stun.Message):
                return answer
            code, reason = answer.attributes.get("ERROR-CODE", (0, "an error without a code"))
            fresh = answer.attributes.get("NONCE", b"")
            if (self._key is not None and code != 438) or code not in {401, 438} or not fresh:
                return Refusal(code, reason)
            self._nonce, self._realm = fresh, answer.attributes.get("REALM", self._realm)
            self._key = make_integrity_key(self._username, self._realm, self._password)
        return Refusal(code, reason)

    async def _transaction(self, method: stun.Method, attributes: dict[str, Any]) -> dict[str, Any] | stun.Message:
        """One request: the attributes of its success, or the whole error response."""
        request = stun.Message(method, stun.Class.REQUEST, attributes=dict(attributes))
        if self._key is not None:
            request.attributes |= {"USERNAME": self._username, "REALM": self._realm, "NONCE": self._nonce}
            request.add_message_integrity(self._key)
        transaction = stun.Transaction(request, self._server, self, integrity_key=self._key, long_term_credential=True)
        self._waiting[request.transaction_id] = transaction
        try:
            async with asyncio.timeout(PATIENCE):
                running: Awaitable[tuple[stun.Message, Address]] = transaction.run()
                response, _ = await running
        except stun.TransactionFailed as failed:
            return failed.response
        except (TimeoutError, stun.TransactionTimeout):
            raise NoRelay(f"{self._server[0]}:{self._server[1]} does not answer {method.name}") from None
        finally:
            del self._waiting[request.transaction_id]
        return response.attributes

    def send_stun(self, message: stun.Message, addr: Address) -> None:
        """Writes a message (called by the transactions)."""
        if self._transport is not None and not self._transport.is_closing():
            connected = self._transport.get_extra_info("peername") is not None
            self._transport.sendto(bytes(message), None if connected else addr)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Something came: a response, data through the relay, or a datagram of a peer."""
        try:
            message = stun.parse_message(data)
        except ValueError:
            self.datagrams.append((data, addr[:2]))
        else:
            transaction = self._waiting.get(message.transaction_id)
            if transaction is not None:
                transaction.response_received(message, addr)
            elif message.message_method == stun.Method.DATA and "DATA" in message.attributes:
                self.data.append((message.attributes["DATA"], message.attributes["XOR-PEER-ADDRESS"]))
        self._arrived.set()


def _host_and_port(place: str, port: str) -> tuple[str, str]:
    if place.startswith("["):
        host, _, rest = place[1:].partition("]")
        return host, rest.removeprefix(":") or port
    host, _, given = place.partition(":")
    return host, given or port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
