"""Discovery tells each behaviour of a NAT apart, and says when a server cannot help."""

import asyncio
from dataclasses import replace

import pytest
from aioice import stun

from harness.network.discovery import NoDiscovery, discover
from harness.network.nat import KINDS, Discovered, Filtering, Mapping, Turn
from harness.network.vnet.lab import SERVERS, VirtualLab
from harness.network.vnet.loop import run
from harness.network.vnet.relay import PORT


def discovered(kind, **options):
    """What is found from behind such a NAT."""

    async def scenario(_):
        async with VirtualLab() as lab:
            with lab.place(kind, Turn.NONE) as place, place.attached():
                return await discover((SERVERS[0], PORT), **options)

    return run(scenario)


@pytest.mark.parametrize("mapping", Mapping)
@pytest.mark.parametrize("filtering", Filtering)
def test_every_behaviour_is_told_apart(mapping, filtering):
    """All nine combinations of mapping and filtering, with and without port preservation."""
    for preserving in (True, False):
        kind = replace(KINDS["fullcone"], mapping=mapping, filtering=filtering, port_preservation=preserving)
        found = discovered(kind)
        assert (found.mapping, found.filtering, found.differences(kind)) == (mapping, filtering, [])


@pytest.mark.parametrize("hairpin", [True, False])
@pytest.mark.parametrize("filtering", Filtering)
def test_hairpinning_is_seen_through_any_filter(hairpin, filtering):
    """Both sockets send, so that no filter hides it; behind dependent mappings it stays unknown."""
    kind = replace(KINDS["fullcone"], filtering=filtering, hairpin=hairpin)
    assert discovered(kind, hairpin=True).hairpin is hairpin
    assert discovered(KINDS["symmetric"], hairpin=True).hairpin is None


def test_what_contradicts_a_kind_is_said_in_sentences():
    """Each difference is one sentence; no difference, none."""
    assert Discovered(udp=False).differences(KINDS["udpblocked"]) == []
    assert Discovered(udp=True).differences(KINDS["udpblocked"]) == ["udpblocked: UDP passes, and should not be so"]
    ports = Discovered(udp=False, tcp_ports=frozenset({3478}), tcp_barred=frozenset({443}))
    assert ports.differences(KINDS["tcp443only"]) == [
        "tcp443only: TCP to port 3478 passes, and should not",
        "tcp443only: TCP to port 443 does not pass, and should",
    ]


class PlainStun(asyncio.DatagramProtocol):
    """A STUN server without a second address."""

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        request = stun.parse_message(data)
        attributes = {"XOR-MAPPED-ADDRESS": addr}
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id, attributes)
        self.transport.sendto(bytes(answer), addr)


async def test_over_real_sockets_a_server_without_a_second_address_is_named():
    """Discovery runs on any loop; a server that cannot help is said to be so."""
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(PlainStun, local_addr=("127.0.0.1", 0))
    try:
        with pytest.raises(NoDiscovery, match="names no second address"):
            await discover(server.get_extra_info("sockname")[:2])
    finally:
        server.close()
