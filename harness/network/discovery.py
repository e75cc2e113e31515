"""Learns how a NAT behaves by asking a server with two addresses and two ports (RFC 5780)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from aioice import stun

from harness.network.nat import Discovered, Filtering, Mapping

Address = tuple[str, int]

_TRIES = 3
_CHANGE_ADDRESS, _CHANGE_PORT = 0x04, 0x02


class NoDiscovery(Exception):
    """The server answers, but not as RFC 5780 has it."""


async def discover(
    server: Address, *, rto: float = 0.5, hairpin: bool = False, tcp_ports: Iterable[int] = ()
) -> Discovered:
    """Asks from where the code runs: mapping and filtering behaviour, and on demand hairpinning and TCP ports.

    Args:
        server: the first address and port of a server with RFC 5780 discovery.
        rto: seconds after which a question is asked again; after three times there is no answer.
        hairpin: whether to ask for that, too. It stays unknown where the mapping depends on the destination.
        tcp_ports: ports of the server to try over TCP.

    Raises:
        NoDiscovery: the server has no second address.
    """
    reached = {port: await _reaches(server[0], port, _TRIES * rto) for port in sorted(tcp_ports)}
    passed = frozenset(port for port, open_ in reached.items() if open_)
    barred = frozenset(reached) - passed
    async with _Prober(rto) as prober:
        answer = await prober.ask(server)
        if answer is None:
            return Discovered(udp=False, tcp_ports=passed, tcp_barred=barred)
        mapping = await _mapping(prober, server, answer)
    async with _Prober(rto) as prober:
        filtering = await _filtering(prober, server)
    knows = hairpin and mapping is Mapping.ENDPOINT_INDEPENDENT
    turns_back = await _hairpins(server, rto) if knows else None
    return Discovered(
        udp=True, mapping=mapping, filtering=filtering, hairpin=turns_back, tcp_ports=passed, tcp_barred=barred
    )


async def _mapping(prober: _Prober, server: Address, first: stun.Message) -> Mapping:
    """Whether our address is the same towards another address, and another port of it (RFC 5780 section 4.3)."""
    other = first.attributes.get("OTHER-ADDRESS")
    if other is None:
        raise NoDiscovery(f"{server[0]}:{server[1]} names no second address (RFC 5780 section 6)")
    second = await prober.ask((other[0], server[1]))
    third = await prober.ask(other)
    if second is None or third is None:
        raise NoDiscovery(f"{other[0]} does not answer")
    if _mapped(second) == _mapped(first):
        return Mapping.ENDPOINT_INDEPENDENT
    same = _mapped(third) == _mapped(second)
    return Mapping.ADDRESS_DEPENDENT if same else Mapping.ADDRESS_AND_PORT_DEPENDENT


async def _filtering(prober: _Prober, server: Address) -> Filtering:
    """Who may answer a socket that has sent nowhere else (RFC 5780 section 4.4)."""
    await prober.ask(server)
    if await prober.ask(server, _CHANGE_ADDRESS | _CHANGE_PORT):
        return Filtering.ENDPOINT_INDEPENDENT
    if await prober.ask(server, _CHANGE_PORT):
        return Filtering.ADDRESS_DEPENDENT
    return Filtering.ADDRESS_AND_PORT_DEPENDENT


async def _hairpins(server: Address, rto: float) -> bool:
    """Whether a datagram to our own external address comes back (RFC 5780 section 4.5). Both sockets open filters."""
    async with _Prober(rto) as one, _Prober(rto) as other:
        answers = [await prober.ask(server) for prober in (one, other)]
        if None in answers:
            return False
        mapped = [_mapped(answer) for answer in answers if answer is not None]
        for _ in range(_TRIES):
            one.send(b"hairpin", mapped[1])
            other.send(b"hairpin", mapped[0])
            if await one.heard(rto) or await other.heard(rto):
                return True
        return False


async def _reaches(host: str, port: int, patience: float) -> bool:
    """Whether a TCP connection opens."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(patience):
            transport, _ = await loop.create_connection(asyncio.Protocol, host, port)
    except (OSError, TimeoutError):
        return False
    transport.abort()
    return True


def _mapped(message: stun.Message) -> Address:
    """The address at which the server saw us. Raises NoDiscovery where it does not say."""
    try:
        address: Address = message.attributes["XOR-MAPPED-ADDRESS"]
    except KeyError:
        raise NoDiscovery("the server's answer is without XOR-MAPPED-ADDRESS") from None
    return address


class _Prober(asyncio.DatagramProtocol):
    """One socket that asks."""

    def __init__(self, rto: float) -> None:
        self._rto = rto
        self._transport: asyncio.DatagramTransport | None = None
        self._asked: dict[object, asyncio.Future[stun.Message]] = {}
        self._other = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("0.0.0.0", 0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._transport is not None:
            self._transport.close()

    async def ask(self, server: Address, change: int = 0) -> stun.Message | None:
        """One binding request; None without an answer."""
        attributes = {"CHANGE-REQUEST": change} if change else {}
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
        answer: asyncio.Future[stun.Message]
        answer = self._asked[request.transaction_id] = asyncio.get_running_loop().create_future()
        try:
            for _ in range(_TRIES):
                self.send(bytes(request), server)
                done, _ = await asyncio.wait({answer}, timeout=self._rto)
                if done:
                    return answer.result()
        finally:
            del self._asked[request.transaction_id]
        return None

    async def heard(self, patience: float) -> bool:
        """Whether a datagram that is no answer came, or comes in time."""
        try:
            async with asyncio.timeout(patience):
                await self._other.wait()
        except TimeoutError:
            return False
        return True

    def send(self, data: bytes, to: Address) -> None:
        """Sends one datagram."""
        if self._transport is not None:
            self._transport.sendto(data, to)

    def datagram_received(self, data: bytes, addr: Address) -> None:  # noqa: ARG002  answers may come from anywhere
        """Takes an answer, or notes that something else came."""
        try:
            message = stun.parse_message(data)
        except ValueError:
            self._other.set()
            return
        answer = self._asked.get(message.transaction_id)
        if answer is not None and not answer.done():
            answer.set_result(message)
