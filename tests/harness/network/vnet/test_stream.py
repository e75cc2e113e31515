"""TCP of virtual hosts: connections open, carry bytes in order, end, and are refused, as asyncio programs expect."""

import asyncio
import gc
from dataclasses import replace

import pytest

from harness.network.nat import KINDS
from harness.network.vnet.box import NatBox
from harness.network.vnet.link import Conditions
from harness.network.vnet.packet import Flag, Packet, Segment

SERVER = ("203.0.113.1", 443)


class Echo(asyncio.Protocol):
    """Sends back what it gets, and notes how it ended."""

    def __init__(self, ends):
        self.ends = ends

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def connection_lost(self, exc):
        self.ends.append(exc)


def serving(net, ends, conditions=Conditions(delay=0.01)):  # noqa: B008
    host = net.host(SERVER[0], conditions)
    with host.entered():
        net.loop.listen(lambda: Echo(ends), SERVER)
    return host


async def dial(host, address=SERVER):
    """Opens a connection from a host, as streams."""
    with host.entered():
        return await asyncio.open_connection(*address)


def test_bytes_come_in_order_even_where_packets_do_not(in_net):
    """A line that reorders and loses changes the time, not the bytes; closing ends both sides and frees both ports."""

    async def scenario(net):
        ends = []
        bad = Conditions(delay=0.05, jitter=0.02, reordering=0.3, loss=0.1)
        server = serving(net, ends, bad)
        client = net.host("198.18.0.2", bad)
        reader, writer = await dial(client)
        sent = b"".join(number.to_bytes(2, "big") for number in range(500))
        for start in range(0, len(sent), 10):
            writer.write(sent[start : start + 10])
        assert await reader.readexactly(len(sent)) == sent
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(10)
        assert ends == [None]
        assert (client.open_sockets, server.open_sockets) == (0, 1)

    in_net(scenario)


def test_nobody_listens(in_net):
    """A closed port refuses after one round trip."""

    async def scenario(net):
        net.host(SERVER[0])
        with pytest.raises(ConnectionRefusedError):
            await dial(net.host("198.18.0.2"))
        assert net.loop.time() == pytest.approx(0.04)

    in_net(scenario)


def test_nothing_answers(in_net):
    """No host, or a firewall: the attempt ends after the patience of Linux."""

    async def scenario(net):
        with pytest.raises(TimeoutError):
            await dial(net.host("198.18.0.2"))
        assert net.loop.time() == pytest.approx(127)

    in_net(scenario)


@pytest.mark.parametrize(("port", "passes"), [(443, True), (3478, False)])
def test_a_firewall_for_443_alone(in_net, port, passes):
    """Connections to port 443 pass it, all others go nowhere."""

    async def scenario(net):
        box = NatBox(KINDS["tcp443only"], net.internet, "198.18.0.1", Conditions(delay=0.01))
        ends = []
        host = net.host(SERVER[0])
        with host.entered():
            net.loop.listen(lambda: Echo(ends), (SERVER[0], port))
        client = net.host("10.0.0.2", realm=box.inside)
        if not passes:
            with pytest.raises(TimeoutError):
                await dial(client, (SERVER[0], port))
            return
        reader, writer = await dial(client, (SERVER[0], port))
        writer.write(b"through")
        assert await reader.readexactly(7) == b"through"
        writer.close()
        await writer.wait_closed()

    in_net(scenario)


def test_an_aborted_connection_resets_the_other_end(in_net):
    """The other side hears of it as an error."""

    async def scenario(net):
        ends = []
        serving(net, ends)
        _, writer = await dial(net.host("198.18.0.2"))
        writer.transport.abort()
        await asyncio.sleep(1)
        assert isinstance(ends[0], ConnectionResetError)

    in_net(scenario)


def test_what_is_late_meets_a_reset(in_net):
    """A segment for a connection that is no more is answered with a reset, and nothing stays open."""

    async def scenario(net):
        ends = []
        server = serving(net, ends)
        client = net.host("198.18.0.2")
        _, writer = await dial(client)
        client.close()
        writer.close()
        await asyncio.sleep(1)
        stray = Packet("tcp", ("203.0.113.1", 9), ("203.0.113.1", 10), Segment(Flag.DATA, 3, b"x"))
        server.send(stray)
        await asyncio.sleep(1)
        assert len(ends) == 1
        assert server.open_sockets == 1

    in_net(scenario)


def test_half_close(in_net):
    """One direction may end before the other, where the protocol wants it so."""

    async def scenario(net):
        async def answer(reader, writer):
            writer.write((await reader.read()).upper())
            writer.close()

        host = net.host(SERVER[0])
        with host.entered():
            net.loop.listen(lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader(), answer), SERVER)
        reader, writer = await dial(net.host("198.18.0.2"))
        writer.write(b"whole")
        writer.write_eof()
        assert await reader.read() == b"WHOLE"
        writer.close()
        await writer.wait_closed()

    in_net(scenario)


def test_reading_can_be_paused(in_net):
    """What comes meanwhile is kept, and handed on later."""

    async def scenario(net):
        ends = []
        serving(net, ends)
        reader, writer = await dial(net.host("198.18.0.2"))
        writer.transport.pause_reading()
        writer.write(b"kept")
        await asyncio.sleep(5)
        assert not writer.transport.is_reading()
        writer.transport.resume_reading()
        assert await reader.readexactly(4) == b"kept"
        writer.close()
        await writer.wait_closed()

    in_net(scenario)


def test_a_nat_lets_tcp_back_only_from_where_it_went(in_net):
    """Whatever the filter for UDP, an unknown host cannot come in over TCP."""

    async def scenario(net):
        box = NatBox(replace(KINDS["fullcone"]), net.internet, "198.18.0.1", Conditions(delay=0.01))
        ends = []
        serving(net, ends)
        client = net.host("10.0.0.2", realm=box.inside)
        _, writer = await dial(client)
        local = writer.get_extra_info("sockname")
        with pytest.raises(TimeoutError):
            await dial(net.host("198.18.0.3"), ("198.18.0.1", local[1]))
        assert net.world.drops["filtered"] >= 1
        writer.close()
        await writer.wait_closed()
        gc.collect()

    in_net(scenario)
