"""A relay that was refused is told from a server out of reach, though aiortc tells neither."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aioice import stun

from harness.lab.coturn import ADDRESS, running_coturn
from harness.network.host_addresses import offered
from harness.network.loopback import Loopback
from harness.peer.peer import Peer, connect_peer
from harness.peer.result import pair_result
from harness.peer.stage import Role, Stage
from tests.harness.peer.wire import DEADLINE, wires


@dataclass(frozen=True)
class Relayed:
    """Loopback with a TURN server."""

    url: str
    username: str = "u"
    credential: str = "p"
    hosts: tuple[str, ...] = ("127.0.0.1",)

    @property
    def ice_servers(self) -> list[dict[str, str]]:
        return [{"urls": self.url, "username": self.username, "credential": self.credential}]

    @contextmanager
    def attached(self) -> Iterator[None]:
        with offered(self.hosts):
            yield


class Refusing(asyncio.DatagramProtocol):
    """Answers every request with an error."""

    def __init__(self, code: int, reason: str) -> None:
        self.error = {"ERROR-CODE": (code, reason), "REALM": "r", "NONCE": b"n"}

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = stun.parse_message(data)
        answer = stun.Message(asked.message_method, stun.Class.ERROR, asked.transaction_id, dict(self.error))
        self.transport.sendto(bytes(answer), addr)


@asynccontextmanager
async def refusing(code: int, reason: str):
    make = lambda: Refusing(code, reason)  # noqa: E731
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(make, ("127.0.0.1", 0))
    try:
        yield "turn:127.0.0.1:{1}?transport=udp".format(*transport.get_extra_info("sockname"))
    finally:
        transport.close()


async def alone(network: Relayed, *, relay_only: bool):
    """A peer who gathers on this network, with nobody on the other side who could be reached."""
    left, right = wires()
    left.bend = right.bend = lambda signal: [signal] if signal.kind in {"offer", "answer"} else dead(signal)
    async with (
        Peer(Role.OFFERER, network, relay_only=relay_only) as one,
        Peer(Role.ANSWERER, Loopback()) as other,
    ):
        return await asyncio.gather(one.connect(left, 1.0), other.connect(right, 1.0))


def dead(signal):
    """Candidates at a port where nobody is."""
    words = signal.body["candidate"]["candidate"].split()
    if words:
        words[5] = "9"
    signal.body["candidate"]["candidate"] = " ".join(words)
    return [signal]


@pytest.mark.parametrize(("code", "reason"), [(401, "Unauthorized"), (486, "Allocation Quota Reached")])
async def test_a_refused_relay_is_turn_auth(code, reason):
    """With nothing but a relay to go by, the code with which it was refused is the stage's detail, at once."""
    async with refusing(code, reason) as url:
        result = await connect_peer(wires()[0], Role.OFFERER, Relayed(url, hosts=()), DEADLINE)
    assert (result.stage, f"{code} {reason}" in result.detail) == (Stage.TURN_AUTH, True), result


async def test_a_server_out_of_reach_is_turn_unreachable():
    """A refused TCP connection is no refused credential."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"turn:127.0.0.1:{free.getsockname()[1]}?transport=tcp"
        result = await connect_peer(wires()[0], Role.OFFERER, Relayed(url, hosts=()), DEADLINE)
    assert (result.stage, "Connect call failed" in result.detail) == (Stage.TURN_UNREACHABLE, True), result


async def test_a_certificate_that_nobody_trusts_is_turn_unreachable():
    """What speaks no TLS (or is not trusted) is told by its error."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        url = f"turns:127.0.0.1:{server.sockets[0].getsockname()[1]}?transport=tcp"
        result = await connect_peer(wires()[0], Role.OFFERER, Relayed(url, hosts=()), DEADLINE)
    assert result.stage is Stage.TURN_UNREACHABLE
    assert result.detail


async def test_no_candidate_at_all_without_a_relay_is_gathering_none():
    """Where no relay was asked for, nothing is said of one; and nobody waits for the deadline."""
    result = await connect_peer(wires()[0], Role.OFFERER, Relayed("stun:127.0.0.1:9", hosts=()), DEADLINE)
    assert result.stage is Stage.GATHERING_NONE


async def test_a_deadline_while_we_gather_is_our_own():
    """A STUN server that says nothing holds up aioice's gathering for five seconds: nobody else is to blame."""
    result = await connect_peer(wires()[0], Role.OFFERER, Relayed("stun:127.0.0.1:9"), 0.2)
    assert (result.stage, "gathering" in result.detail) == (Stage.HARNESS_DEADLINE, True), result


async def test_a_refused_relay_explains_checks_that_failed():
    """A peer with host candidates whose checks all fail blames the relay that it was refused; its partner cannot."""
    async with refusing(401, "Unauthorized") as url:
        one, other = await alone(Relayed(url), relay_only=False)
    assert (one.stage, other.stage) == (Stage.TURN_AUTH, Stage.ICE_CHECKS_TIMEOUT), (one, other)
    assert pair_result(one, other).stage is Stage.TURN_AUTH


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_relayed_pairs_say_so(tmp_path: Path, transport):
    """Through a real server, with relay candidates alone, both sides see a relay, and how they reach it."""
    async with running_coturn(tmp_path / "coturn.log") as there:
        assert there is not None
        name = f"{int(time.time()) + 60}:peer"
        password = base64.b64encode(hmac.digest(there.secret.encode(), name.encode(), hashlib.sha1)).decode()
        network = Relayed(f"turn:{ADDRESS}:{there.port}?transport={transport}", name, password, (ADDRESS,))
        left, right = wires()
        async with Peer(Role.OFFERER, network, relay_only=True) as one, Peer(Role.ANSWERER, network) as other:
            results = await asyncio.gather(one.connect(left, DEADLINE), other.connect(right, DEADLINE))
        forged = Relayed(network.url, name, "forged", ())
        refused = await connect_peer(wires()[0], Role.OFFERER, forged, DEADLINE)
    assert [result.stage for result in results] == [Stage.CONNECTED] * 2, results
    assert (results[0].path.split("/")[0], results[0].relay_protocol) == ("relay", transport)
    both = pair_result(*results)
    assert (both.relay_used, both.types[0]) == (True, "relay")
    assert (refused.stage, "401" in refused.detail) == (Stage.TURN_AUTH, True), refused
