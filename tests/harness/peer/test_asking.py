"""A peer who is cut off while it gathers asks nobody any more, and keeps no relay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import pytest
from aioice import stun

from harness.network.host_addresses import offered
from harness.peer.asking import ended_with_us, noting
from harness.peer.peer import Peer
from harness.peer.stage import Role
from tests.harness.peer.wire import DEADLINE, wires


@dataclass
class Asked:
    """A network of one loopback address with the servers given."""

    ice_servers: list[dict[str, str]] = field(default_factory=list)

    @contextmanager
    def attached(self) -> Iterator[None]:
        with offered(("127.0.0.1",)):
            yield


class Silent(asyncio.DatagramProtocol):
    """Takes requests and answers none."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[stun.Message] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.requests.put_nowait(stun.parse_message(data))


@asynccontextmanager
async def silent() -> AsyncIterator[tuple[Silent, str]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Silent, ("127.0.0.1", 0))
    try:
        yield protocol, "{}:{}".format(*transport.get_extra_info("sockname"))
    finally:
        transport.close()


async def cut_off(connecting: asyncio.Task[object]) -> None:
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting


@pytest.mark.parametrize(
    ("server", "method"),
    [
        ({"urls": "stun:{}"}, stun.Method.BINDING),
        ({"urls": "turn:{}?transport=udp", "username": "u", "credential": "p"}, stun.Method.ALLOCATE),
    ],
)
async def test_no_question_outlives_whoever_asked(server, method):
    """STUN and TURN servers that keep silent would be asked for half a minute more."""
    async with silent() as (asked, address):
        before = asyncio.all_tasks()
        network = Asked([server | {"urls": server["urls"].format(address)}])
        async with Peer(Role.OFFERER, network) as peer:
            connecting = asyncio.create_task(peer.connect(wires()[0], DEADLINE))
            request = await asyncio.wait_for(asked.requests.get(), DEADLINE)
            assert request.message_method == method
            await cut_off(connecting)
        assert asyncio.all_tasks() - before == set()


class Relay:
    """Notes that it was given back."""

    closed = False

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("taken", [False, True])
async def test_a_relay_that_nobody_took_is_given_back(taken):
    """It was granted, and the gathering ended before aioice took it; what aioice has taken it closes itself."""
    relay = Relay()

    async def granted():
        return "candidate", relay

    async def gather():
        async with ended_with_us(lambda: [relay] if taken else []):
            await asyncio.create_task(noting(granted)())
            gathering.set()
            await asyncio.Event().wait()

    gathering = asyncio.Event()
    cut = asyncio.create_task(gather())
    await gathering.wait()
    await cut_off(cut)
    assert relay.closed is not taken
