"""Host candidates are chosen per peer."""

from __future__ import annotations

import asyncio

import aioice
import aioice.ice

from harness.network.host_addresses import offered
from harness.network.loopback import Loopback


async def gathered() -> list[str]:
    connection = aioice.Connection(ice_controlling=True)
    await connection.gather_candidates()
    hosts = [candidate.host for candidate in connection.local_candidates]
    await connection.close()
    return hosts


async def test_a_loopback_peer_offers_only_loopback():
    """Inside the block, candidates are on 127.0.0.1 alone, which aioice by itself never offers."""
    with Loopback().attached():
        assert await gathered() == ["127.0.0.1"]


async def test_two_networks_live_in_one_process():
    """Peers that gather at the same moment on different networks do not see each other's addresses."""

    async def on(address: str) -> list[str]:
        with offered((address,)):
            return await asyncio.create_task(gathered())

    assert await asyncio.gather(on("127.0.0.1"), on("127.0.0.2")) == [["127.0.0.1"], ["127.0.0.2"]]


async def test_outside_nothing_changes():
    """A peer that is on no network of ours sees what aioice would."""
    with Loopback().attached():
        pass
    assert "127.0.0.1" not in aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False)


def test_address_families_are_respected():
    """An IPv6 address is not offered where only IPv4 is wanted."""
    with offered(("::1", "127.0.0.1")):
        assert aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False) == ["127.0.0.1"]
        assert aioice.ice.get_host_addresses(use_ipv4=False, use_ipv6=True) == ["::1"]


def test_loopback_asks_no_server():
    """Its servers are an explicit empty list: aiortc's default would be a public STUN host."""
    assert Loopback().ice_servers == ()
