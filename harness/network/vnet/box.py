"""A NAT as RFC 4787 describes it (mapping, filtering, ports, hairpinning, the life of mappings), and a firewall."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.network.nat import Filtering, Mapping, NatKind
from harness.network.vnet.link import Conditions
from harness.network.vnet.packet import Address, Flag, Packet, Segment
from harness.network.vnet.realm import Realm

_LOWEST, _HIGHEST = 1024, 65535


@dataclass(slots=True)
class _Entry:
    """One mapping: an internal address, its external port, who may send there, and when it ends."""

    key: tuple[object, ...]
    internal: Address
    port: int
    ends: float
    partners: set[object] = field(default_factory=set)


class NatBox:
    """A NAT with one external address. What is inside lives in its `inside` realm."""

    def __init__(self, kind: NatKind, outside: Realm, address: str, conditions: Conditions | None) -> None:
        self.kind = kind
        self.address = address
        self.line = outside.attach(self, (address,), conditions)
        self.inside = Realm(outside.world, self)
        self._outside = outside
        self._world = outside.world
        self._out: dict[tuple[object, ...], _Entry] = {}
        self._in: dict[tuple[str, int], _Entry] = {}

    def close(self) -> None:
        """Takes it off the network."""
        self._outside.detach((self.address,))
        self._out.clear()
        self._in.clear()

    def forget(self) -> None:
        """Loses all mappings, as a NAT that starts anew does."""
        self._out.clear()
        self._in.clear()

    def leave(self, packet: Packet) -> None:
        """From inside to outside, or back inside by hairpinning (RFC 4787 section 6)."""
        if not self._allowed(packet):
            self._world.drop("firewall")
            return
        entry = self._mapped(packet)
        if entry is None:
            self._world.drop("no port left")
            return
        packet.source = (self.address, entry.port)
        if packet.destination[0] != self.address:
            self.line.send(packet)
        elif self.kind.hairpin:
            self._world.loop.call_soon(self.arrive, packet)
        else:
            self._world.drop("no hairpin")

    def arrive(self, packet: Packet) -> None:
        """From outside to inside, where a mapping is and its filter lets it through."""
        entry = self._in.get((packet.proto, packet.destination[1]))
        if entry is None or entry.ends <= self._world.loop.time():
            self._world.drop("no mapping")
        elif self._filter_key(packet.proto, packet.source) not in entry.partners:
            self._world.drop("filtered")
        else:
            packet.destination = entry.internal
            self.inside.enter(packet)

    def _allowed(self, packet: Packet) -> bool:
        """Whether the firewall lets it out. TCP is judged by the port that it connects to."""
        if packet.proto == "udp":
            return self.kind.udp
        opens = isinstance(packet.payload, Segment) and packet.payload.flag is Flag.SYN
        return not opens or self.kind.lets_tcp_to(packet.destination[1])

    def _mapped(self, packet: Packet) -> _Entry | None:
        """The mapping of an outbound packet, which it makes or prolongs (RFC 4787 section 4.3, REQ-6)."""
        now = self._world.loop.time()
        key = (packet.proto, packet.source, self._mapping_key(packet))
        entry = self._out.get(key)
        if entry is None or entry.ends <= now:
            if entry is not None:
                self._remove(entry, packet.proto)
            port = self._port(packet, now)
            if port is None:
                return None
            entry = _Entry(key, packet.source, port, now)
            self._out[key] = self._in[packet.proto, port] = entry
        entry.partners.add(self._filter_key(packet.proto, packet.destination))
        entry.ends = now + self.kind.mapping_life if packet.proto == "udp" else float("inf")
        return entry

    def _remove(self, entry: _Entry, proto: str) -> None:
        self._out.pop(entry.key, None)
        self._in.pop((proto, entry.port), None)

    def _port(self, packet: Packet, now: float) -> int | None:
        """A free external port: the internal one where it is preserved and free, else one by chance."""
        proto, wanted = packet.proto, packet.source[1]
        if self.kind.port_preservation and self._is_free(proto, wanted, now):
            return wanted
        span = _HIGHEST - _LOWEST + 1
        first = self._world.chance.randrange(span)
        ports = (_LOWEST + (first + step) % span for step in range(span))
        return next((port for port in ports if self._is_free(proto, port, now)), None)

    def _is_free(self, proto: str, port: int, now: float) -> bool:
        entry = self._in.get((proto, port))
        if entry is None:
            return True
        if entry.ends > now:
            return False
        self._remove(entry, proto)
        return True

    def _mapping_key(self, packet: Packet) -> object:
        match self.kind.mapping if packet.proto == "udp" else Mapping.ADDRESS_AND_PORT_DEPENDENT:
            case Mapping.ENDPOINT_INDEPENDENT:
                return None
            case Mapping.ADDRESS_DEPENDENT:
                return packet.destination[0]
            case _:
                return packet.destination

    def _filter_key(self, proto: str, partner: Address) -> object:
        """What the filter remembers of a partner. TCP comes back only from where it was connected to."""
        match self.kind.filtering if proto == "udp" else Filtering.ADDRESS_AND_PORT_DEPENDENT:
            case Filtering.ENDPOINT_INDEPENDENT:
                return None
            case Filtering.ADDRESS_DEPENDENT:
                return partner[0]
            case _:
                return partner
