"""The kinds of NAT and firewall that a peer may live behind, in the words of RFC 4787; pure data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Mapping(StrEnum):
    """Which destinations see the same external address of one internal address (RFC 4787 section 4.1)."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"


class Filtering(StrEnum):
    """From whom a mapping lets packets in: all, hosts sent to, or endpoints sent to (RFC 4787 section 5)."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"


class Turn(StrEnum):
    """How a peer reaches a relay: not at all, or over UDP or TCP on port 3478, or over TLS on port 443."""

    NONE = "none"
    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


TURN_PORT = {Turn.UDP: 3478, Turn.TCP: 3478, Turn.TLS: 443}
"""The port of the relay for each way of reaching it (RFC 8656 section 6; 443 is where firewalls let TLS out)."""


@dataclass(frozen=True, slots=True)
class NatKind:
    """How one NAT or firewall treats what passes it.

    `mapping_life` is how many seconds a UDP mapping stays without outbound traffic (RFC 4787 section 4.3: two minutes
    at the least). `tcp_ports` are the destination ports that TCP may leave for; None for all.
    """

    name: str
    mapping: Mapping = Mapping.ENDPOINT_INDEPENDENT
    filtering: Filtering = Filtering.ADDRESS_AND_PORT_DEPENDENT
    port_preservation: bool = True
    hairpin: bool = False
    mapping_life: float = 120.0
    udp: bool = True
    tcp_ports: frozenset[int] | None = None

    def lets_tcp_to(self, port: int) -> bool:
        """Whether TCP connections to this port may leave."""
        return self.tcp_ports is None or port in self.tcp_ports

    def reaches(self, turn: Turn) -> bool:
        """Whether a relay can be reached from behind it in this way."""
        if turn is Turn.UDP:
            return self.udp
        return turn is not Turn.NONE and self.lets_tcp_to(TURN_PORT[turn])


Home = tuple[NatKind, ...]
"""The NATs between a host and the internet, innermost first; empty for a host with a public address."""

KINDS: dict[str, NatKind] = {
    kind.name: kind
    for kind in (
        NatKind("fullcone", filtering=Filtering.ENDPOINT_INDEPENDENT),
        NatKind("addrrestricted", filtering=Filtering.ADDRESS_DEPENDENT),
        NatKind("portrestricted"),
        NatKind("symmetric", mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT, port_preservation=False),
        NatKind("udpblocked", udp=False),
        NatKind("tcp443only", udp=False, tcp_ports=frozenset({80, 443})),
    )
}
"""The kinds that peers are placed behind, by name."""

CGN = NatKind("cgn", port_preservation=False, hairpin=True)
"""A carrier's NAT as RFC 6888 asks for it: endpoint-independent mapping, hairpinning, ports from a pool."""

HOMES: dict[str, Home] = {
    **{name: (kind,) for name, kind in KINDS.items()},
    "cgn": (KINDS["portrestricted"], CGN),
    "cgn-symmetric": (KINDS["portrestricted"], KINDS["symmetric"]),
}
"""Whole ways out, by name: each kind alone, and double NAT behind a carrier's."""


def in_a_row(home: Iterable[NatKind], name: str = "") -> NatKind:
    """What several NATs in a row look like from outside: the most dependent mapping, the strictest filtering.

    An empty row is a public host: nothing is translated, and nothing filtered.
    """
    kinds = list(home)
    ports = [kind.tcp_ports for kind in kinds if kind.tcp_ports is not None]
    return NatKind(
        name or "+".join(kind.name for kind in kinds) or "public",
        mapping=max((kind.mapping for kind in kinds), key=_MAPPINGS.index, default=_MAPPINGS[0]),
        filtering=max((kind.filtering for kind in kinds), key=_FILTERINGS.index, default=_FILTERINGS[0]),
        port_preservation=all(kind.port_preservation for kind in kinds),
        hairpin=all(kind.hairpin for kind in kinds[-1:]),
        mapping_life=min((kind.mapping_life for kind in kinds), default=float("inf")),
        udp=all(kind.udp for kind in kinds),
        tcp_ports=frozenset.intersection(*ports) if ports else None,
    )


_MAPPINGS = list(Mapping)
_FILTERINGS = list(Filtering)


@dataclass(frozen=True, slots=True)
class Discovered:
    """What was learned about a way out by asking a server (RFC 5780); None where it was not or cannot be asked.

    Without UDP `mapping` and `filtering` are None. `tcp_ports` are the ports asked for that TCP reached, `tcp_barred`
    those that it did not.
    """

    udp: bool
    mapping: Mapping | None = None
    filtering: Filtering | None = None
    hairpin: bool | None = None
    mapping_life: float | None = None
    tcp_ports: frozenset[int] = frozenset()
    tcp_barred: frozenset[int] = frozenset()

    def differences(self, kind: NatKind) -> list[str]:
        """What contradicts that it is of this kind, as sentences; empty when nothing does."""
        if self.udp is not kind.udp:
            return [f"{kind.name}: UDP {'passes' if self.udp else 'is blocked'}, and should not be so"]
        asked: list[tuple[str, object, object]] = []
        if self.udp:
            asked += [("mapping", self.mapping, kind.mapping), ("filtering", self.filtering, kind.filtering)]
        if self.hairpin is not None:
            asked.append(("hairpin", self.hairpin, kind.hairpin))
        found = [f"{kind.name}: {what} is {seen}, and should be {due}" for what, seen, due in asked if seen != due]
        open_ports = [port for port in self.tcp_ports if not kind.lets_tcp_to(port)]
        shut_ports = [port for port in self.tcp_barred if kind.lets_tcp_to(port)]
        found += [f"{kind.name}: TCP to port {port} passes, and should not" for port in sorted(open_ports)]
        return found + [f"{kind.name}: TCP to port {port} does not pass, and should" for port in sorted(shut_ports)]
