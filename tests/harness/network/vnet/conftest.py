"""Worlds to try single parts of the in-process network in."""

import asyncio
from random import Random

import pytest

from harness.network.vnet.host import Host
from harness.network.vnet.link import Conditions
from harness.network.vnet.loop import run
from harness.network.vnet.realm import Realm, World


class Mailbox(asyncio.DatagramProtocol):
    """A UDP socket on a host that keeps what it gets, with the time."""

    def __init__(self, host, port=0, peer=None):
        self.host = host
        self.got = []
        self.times = []
        self.lost = False
        self._peer = peer
        self._port = port

    async def open(self):
        self.loop = asyncio.get_running_loop()
        with self.host.entered():
            local = None if self._peer else ("0.0.0.0", self._port)
            self.transport, _ = await self.loop.create_datagram_endpoint(
                lambda: self, local_addr=local, remote_addr=self._peer
            )
        return self

    @property
    def address(self):
        return self.transport.get_extra_info("sockname")

    def send(self, data, to=None):
        self.transport.sendto(data, to)

    def datagram_received(self, data, addr):
        self.got.append((data, addr))
        self.times.append(self.loop.time())

    def connection_lost(self, exc):
        self.lost = True

    def texts(self):
        return [data for data, _ in self.got]


class Net:
    """An internet on a running loop, and hosts in it."""

    def __init__(self, loop, seed=1):
        self.loop = loop
        self.world = World(loop, Random(seed))
        self.internet = Realm(self.world)

    def host(self, address, conditions=Conditions(delay=0.01), realm=None):  # noqa: B008
        return Host(realm or self.internet, (address,), None if realm else conditions)

    async def mailbox(self, host, port=0, peer=None):
        return await Mailbox(host, port, peer).open()


@pytest.fixture
def in_net():
    """Runs `scenario(net)` on a virtual loop of its own."""

    def running(scenario, seed=1):
        return run(lambda loop: scenario(Net(loop, seed)))

    return running
