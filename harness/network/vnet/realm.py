"""An address realm (RFC 2663): who has which address, and which way packets go."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from harness.network.vnet.link import Conditions, Link
from harness.network.vnet.packet import Node, Packet
from harness.network.vnet.post import Post

Watcher = Callable[[float, Packet], None]


class Gateway(Protocol):
    """The way out of a realm."""

    def leave(self, packet: Packet) -> None:
        """Takes a packet to an address that the realm does not have."""


@dataclass
class World:
    """What everything in one network shares: its loop, its chance, and what became of packets."""

    loop: asyncio.AbstractEventLoop
    chance: Random
    drops: Counter[str] = field(default_factory=Counter)
    """How many packets were dropped, by reason."""
    packets: int = 0
    """How many packets were sent by hosts."""
    post: Post = field(init=False)
    """Packets on their way."""
    watchers: list[Watcher] = field(default_factory=list)
    """Called with the time and each packet that a host sends, as it leaves the host."""

    def __post_init__(self) -> None:
        self.post = Post(self.loop)

    def sent(self, packet: Packet) -> None:
        """Counts a packet, and shows it to the watchers."""
        self.packets += 1
        for watcher in self.watchers:
            watcher(self.loop.time(), packet)

    def drop(self, reason: str) -> None:
        """Counts a packet that goes no further."""
        self.drops[reason] += 1


class Line:
    """A node's line into a realm, both ways. Packets may be lost on it, late, or overtaken."""

    def __init__(self, realm: Realm, node: Node, conditions: Conditions) -> None:
        world = realm.world
        self.up = Link(world.post, conditions, world.chance)
        self.down = Link(world.post, conditions, world.chance)
        self._realm = realm
        self._node = node

    def send(self, packet: Packet) -> None:
        """From the node into the realm."""
        self.up.carry(packet, self._realm.route)

    def receive(self, packet: Packet) -> None:
        """From the realm to the node."""
        self.down.carry(packet, self._node.arrive)


class Wire:
    """A line inside a home: nothing happens to packets on it."""

    def __init__(self, realm: Realm, node: Node) -> None:
        self._realm = realm
        self._node = node

    def send(self, packet: Packet) -> None:
        """From the node into the realm. Whoever turns a packet around does so later: nothing is entered twice."""
        self._realm.route(packet)

    def receive(self, packet: Packet) -> None:
        """From the realm to the node."""
        self._node.arrive(packet)


class Realm:
    """Addresses that reach each other directly; all others are beyond the gateway, or nowhere."""

    def __init__(self, world: World, gateway: Gateway | None = None) -> None:
        self.world = world
        self._gateway = gateway
        self._lines: dict[str, Line | Wire] = {}

    def attach(self, node: Node, addresses: Iterable[str], conditions: Conditions | None = None) -> Line | Wire:
        """Gives a node these addresses, and a line of these conditions (None: a mere wire).

        Raises:
            ValueError: an address is taken.
        """
        line = Line(self, node, conditions) if conditions is not None else Wire(self, node)
        for address in addresses:
            if address in self._lines:
                raise ValueError(f"the address {address} is taken")
            self._lines[address] = line
        return line

    def detach(self, addresses: Iterable[str]) -> None:
        """Takes addresses away again; packets on their way to them go nowhere."""
        for address in addresses:
            self._lines.pop(address, None)

    def has(self, address: str) -> bool:
        """Whether the address belongs to this realm."""
        return address in self._lines

    def route(self, packet: Packet) -> None:
        """Takes a packet that was sent inside this realm."""
        line = self._lines.get(packet.destination[0])
        if isinstance(line, Line):
            line.receive(packet)
        elif line is not None:
            self.world.loop.call_soon(line.receive, packet)
        elif self._gateway is not None:
            self._gateway.leave(packet)
        else:
            self.world.drop("no route")

    def enter(self, packet: Packet) -> None:
        """Takes a packet that the gateway lets in."""
        line = self._lines.get(packet.destination[0])
        if line is None:
            self.world.drop("no host")
        else:
            line.receive(packet)
