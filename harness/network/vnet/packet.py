"""What travels: packets of UDP and TCP, and who takes them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

Address = tuple[str, int]
"""An IPv4 address and a port."""

HEADER = 28
"""Bytes of IPv4 and UDP header, which count towards a link's rate."""


class Flag(StrEnum):
    """What a TCP segment does (RFC 9293 section 3.1, without numbers of bytes)."""

    SYN = "syn"
    ACCEPT = "syn-ack"
    DATA = "data"
    FIN = "fin"
    RESET = "rst"


class Segment(NamedTuple):
    """One TCP segment: the `number` counts the segments of its direction, so that they can be put in order."""

    flag: Flag
    number: int = 0
    data: bytes = b""


@dataclass(slots=True)
class Packet:
    """One packet on its way. NATs rewrite its addresses in place."""

    proto: str
    """`udp` or `tcp`."""
    source: Address
    destination: Address
    payload: bytes | Segment

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        data = self.payload.data if isinstance(self.payload, Segment) else self.payload
        return HEADER + len(data)


class Node(Protocol):
    """Something with an address in a realm: a host, or the outside of a NAT."""

    def arrive(self, packet: Packet) -> None:
        """Takes a packet that was sent to one of its addresses."""
