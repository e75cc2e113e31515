"""NATs do what RFC 4787 says, each property by itself."""

import asyncio
from dataclasses import replace

import pytest

from harness.network.nat import CGN, KINDS, Filtering, Mapping
from harness.network.vnet.box import NatBox
from harness.network.vnet.link import Conditions

LINE = Conditions(delay=0.01)
FULL, STRICT = KINDS["fullcone"], KINDS["portrestricted"]


async def settled():
    """Every packet on its way arrives."""
    await asyncio.sleep(1)


class Scene:
    """One box with a host inside, and two hosts outside with two ports each."""

    def __init__(self, net, kind):
        self.net = net
        self.box = NatBox(kind, net.internet, "198.18.0.1", LINE)
        self.inner = net.host("10.0.0.2", realm=self.box.inside)

    async def open(self):
        outer = [self.net.host("203.0.113.1"), self.net.host("203.0.113.2")]
        self.servers = [await self.net.mailbox(host, port) for host in outer for port in (5000, 5001)]
        self.client = await self.net.mailbox(self.inner, 40000)
        return self

    async def seen(self, server, client=None):
        """The external address that a server sees."""
        (client or self.client).send(b"?", server.address)
        await settled()
        return server.got[-1][1]


@pytest.mark.parametrize(
    ("mapping", "same"),
    [
        (Mapping.ENDPOINT_INDEPENDENT, [True, True, True]),
        (Mapping.ADDRESS_DEPENDENT, [True, False, False]),
        (Mapping.ADDRESS_AND_PORT_DEPENDENT, [False, False, False]),
    ],
)
def test_mapping(in_net, mapping, same):
    """Which destinations see the same external port: all, those at one address, or none (section 4.1)."""

    async def scenario(net):
        scene = await Scene(net, replace(FULL, mapping=mapping, port_preservation=False)).open()
        first, *others = [await scene.seen(server) for server in scene.servers]
        assert [other == first for other in others] == same
        assert await scene.seen(scene.servers[0]) == first

    in_net(scenario)


@pytest.mark.parametrize(
    ("filtering", "passes"),
    [
        (Filtering.ENDPOINT_INDEPENDENT, [True, True, True]),
        (Filtering.ADDRESS_DEPENDENT, [True, True, False]),
        (Filtering.ADDRESS_AND_PORT_DEPENDENT, [True, False, False]),
    ],
)
def test_filtering(in_net, filtering, passes):
    """Who may answer one outbound packet: anyone, that address, or that address and port (section 5)."""

    async def scenario(net):
        scene = await Scene(net, replace(FULL, filtering=filtering)).open()
        outside = await scene.seen(scene.servers[0])
        for number, server in enumerate(scene.servers[:3]):
            server.send(bytes([number]), outside)
        await settled()
        assert [bytes([number]) in scene.client.texts() for number in range(3)] == passes
        assert net.world.drops["filtered"] == passes.count(False)

    in_net(scenario)


def test_port_preservation(in_net):
    """The internal port is kept where it is free; a second host with the same port gets another one (section 4.2)."""

    async def scenario(net):
        scene = await Scene(net, STRICT).open()
        other = await net.mailbox(net.host("10.0.0.3", realm=scene.box.inside), 40000)
        assert (await scene.seen(scene.servers[0]))[1] == 40000
        assert (await scene.seen(scene.servers[0], other))[1] != 40000
        changing = await Scene(net_of(net), replace(STRICT, port_preservation=False)).open()
        assert (await changing.seen(changing.servers[0]))[1] != 40000

    in_net(scenario)


def net_of(net):
    """Another internet on the same loop."""
    return type(net)(net.loop)


@pytest.mark.parametrize("hairpin", [True, False])
def test_hairpinning(in_net, hairpin):
    """Two hosts inside reach each other by their external addresses only where the NAT turns packets around (6)."""

    async def scenario(net):
        scene = await Scene(net, replace(FULL, hairpin=hairpin)).open()
        other = await net.mailbox(net.host("10.0.0.3", realm=scene.box.inside), 41000)
        outside = await scene.seen(scene.servers[0])
        other.send(b"round the corner", outside)
        await settled()
        assert scene.client.got == ([(b"round the corner", ("198.18.0.1", 41000))] if hairpin else [])

    in_net(scenario)


def test_a_mapping_lives_as_long_as_it_is_used(in_net):
    """Outbound packets prolong a mapping, inbound ones do not; afterwards the port is closed (section 4.3)."""

    async def scenario(net):
        scene = await Scene(net, replace(FULL, mapping_life=30.0, port_preservation=False)).open()
        server = scene.servers[0]
        outside = await scene.seen(server)
        await asyncio.sleep(25)
        assert await scene.seen(server) == outside
        await asyncio.sleep(25)
        server.send(b"in time", outside)
        await asyncio.sleep(10)
        server.send(b"too late", outside)
        await settled()
        assert scene.client.texts() == [b"in time"]
        assert await scene.seen(server) != outside

    in_net(scenario)


def test_a_nat_that_starts_anew_forgets(in_net):
    """After `forget` nothing comes in until something goes out."""

    async def scenario(net):
        scene = await Scene(net, FULL).open()
        outside = await scene.seen(scene.servers[0])
        scene.box.forget()
        scene.servers[0].send(b"lost", outside)
        await settled()
        assert scene.client.got == []
        assert net.world.drops["no mapping"] == 1

    in_net(scenario)


def test_a_firewall_without_udp_lets_none_out(in_net):
    """UDP goes nowhere, and nobody is told."""

    async def scenario(net):
        scene = await Scene(net, KINDS["udpblocked"]).open()
        scene.client.send(b"?", scene.servers[0].address)
        await settled()
        assert scene.servers[0].got == []
        assert net.world.drops["firewall"] == 1

    in_net(scenario)


def test_two_nats_in_a_row(in_net):
    """Behind a carrier's NAT the outer address is the carrier's; answers come back through both."""

    async def scenario(net):
        carrier = NatBox(CGN, net.internet, "198.18.0.9", LINE)
        home = NatBox(STRICT, carrier.inside, "100.64.0.1", None)
        client = await net.mailbox(net.host("10.0.0.2", realm=home.inside), 40000)
        server = await net.mailbox(net.host("203.0.113.1"), 5000)
        client.send(b"?", server.address)
        await settled()
        (_, seen), *_ = server.got
        server.send(b"!", seen)
        await settled()
        assert seen[0] == "198.18.0.9"
        assert client.got == [(b"!", server.address)]

    in_net(scenario)


def test_a_closed_box_gives_its_address_back(in_net):
    """Packets to it go nowhere, and the address may be used again."""

    async def scenario(net):
        scene = await Scene(net, FULL).open()
        outside = await scene.seen(scene.servers[0])
        scene.box.close()
        scene.servers[0].send(b"!", outside)
        await settled()
        assert net.world.drops["no route"] == 1
        NatBox(FULL, net.internet, "198.18.0.1", LINE)

    in_net(scenario)
