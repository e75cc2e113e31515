"""The probe of a TURN server: how addresses are read, and what it makes of answers that are none."""

from __future__ import annotations

import asyncio

import pytest
from aioice import stun

from harness.peer import turn_probe
from harness.peer.turn_probe import NoRelay, Refusal, TurnProbe, TurnServer


@pytest.mark.parametrize(
    ("uri", "server"),
    [
        ("turn:relay.example", TurnServer("relay.example", 3478, "udp")),
        ("turn:relay.example:443?transport=tcp", TurnServer("relay.example", 443, "tcp")),
        ("turns:relay.example", TurnServer("relay.example", 5349, "tls")),
        ("turn:[2001:db8::1]:3479", TurnServer("2001:db8::1", 3479, "udp")),
        ("turn:127.77.0.1:1?transport=udp", TurnServer("127.77.0.1", 1, "udp")),
    ],
)
def test_addresses(uri: str, server: TurnServer) -> None:
    """Host, port and transport of RFC 7065, with its defaults."""
    assert TurnServer.of(uri) == server


@pytest.mark.parametrize("uri", ["", "stun:a", "turn:", "turn:a:b", "http://a"])
def test_what_is_no_address(uri: str) -> None:
    """Anything else is refused by name."""
    with pytest.raises(ValueError, match="is no address of a TURN server"):
        TurnServer.of(uri)


class Fake(asyncio.DatagramProtocol):
    """A server that answers every request with the same class and attributes."""

    def __init__(self, kind: stun.Class, attributes: dict[str, object]) -> None:
        self.kind, self.attributes = kind, attributes
        self.requests: list[stun.Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = stun.parse_message(data)
        self.requests.append(asked)
        answer = stun.Message(asked.message_method, self.kind, asked.transaction_id, dict(self.attributes))
        self.transport.sendto(bytes(answer), addr)  # type: ignore[attr-defined]


async def ask(fake: Fake) -> Refusal | None:
    """An Allocate to that server."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: fake, ("127.0.0.1", 0))
    try:
        async with TurnProbe(TurnServer(*transport.get_extra_info("sockname"), "udp"), "u", "p") as probe:
            return await probe.allocate()
    finally:
        transport.close()


async def test_an_error_is_told() -> None:
    """Code and reason of an error response come back; without a nonce it is not tried again."""
    fake = Fake(stun.Class.ERROR, {"ERROR-CODE": (403, "Forbidden")})
    assert await ask(fake) == Refusal(403, "Forbidden")
    assert len(fake.requests) == 1


async def test_credentials_are_sent_when_they_are_asked_for() -> None:
    """A 401 with realm and nonce is answered with name, realm, nonce and integrity; a second 401 is the answer."""
    fake = Fake(stun.Class.ERROR, {"ERROR-CODE": (401, "Unauthorized"), "REALM": "r", "NONCE": b"n"})
    assert await ask(fake) == Refusal(401, "Unauthorized")
    assert [sorted(one.attributes) for one in fake.requests] == [
        ["LIFETIME", "REQUESTED-TRANSPORT"],
        ["FINGERPRINT", "LIFETIME", "MESSAGE-INTEGRITY", "NONCE", "REALM", "REQUESTED-TRANSPORT", "USERNAME"],
    ]


async def test_a_success_without_an_address_is_none() -> None:
    """A success that names no relayed address is no answer of TURN."""
    with pytest.raises(NoRelay, match="is without 'XOR-RELAYED-ADDRESS'"):
        await ask(Fake(stun.Class.RESPONSE, {"LIFETIME": 600}))


async def test_silence_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing is out of reach, after a while."""
    monkeypatch.setattr(turn_probe, "PATIENCE", 0.05)

    class Mute(Fake):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            pass

    with pytest.raises(NoRelay, match="does not answer ALLOCATE"):
        await ask(Mute(stun.Class.ERROR, {}))
