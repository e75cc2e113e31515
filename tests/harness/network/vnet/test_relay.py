"""The STUN and TURN server keeps to RFC 8656 and RFC 5780: credentials, permissions, channels, lifetimes, addresses."""

import asyncio
import struct

import pytest
from aioice import stun

from harness.network.vnet.allocation import may_relay_to
from harness.network.vnet.credentials import Credential, ephemeral, expiry_of, long_term_key
from harness.network.vnet.host import Host
from harness.network.vnet.link import Conditions
from harness.network.vnet.relay import EPOCH, OTHER_PORT, PORT, REALM
from harness.network.vnet.server import TurnServer

SECRET = "north"
SERVERS = ("203.0.113.10", "203.0.113.11")
SERVER = (SERVERS[0], PORT)
GOOD = ephemeral(SECRET, "ada", EPOCH + 86_400)
UDP = 0x11000000


class Client:
    """A TURN client over one UDP socket that says just what it is told to."""

    def __init__(self, net, box, credential=GOOD):
        self.net = net
        self.box = box
        self.credential = credential
        self.nonce = b""

    async def ask(self, method, *, signed=True, transaction=None, **attributes):
        """One request; the message that answers it, None for none."""
        shown = {name.replace("_", "-"): value for name, value in attributes.items()}
        request = stun.Message(method, stun.Class.REQUEST, transaction, shown)
        if signed:
            request.attributes |= {"USERNAME": self.credential.username, "REALM": REALM, "NONCE": self.nonce}
            request.add_message_integrity(long_term_key(self.credential.username, REALM, self.credential.password))
        before = len(self.box.got)
        self.box.send(bytes(request), SERVER)
        await asyncio.sleep(0.5)
        return stun.parse_message(self.box.got[-1][0]) if len(self.box.got) > before else None

    async def allocate(self, **attributes):
        """Gets a nonce, then asks for a relay."""
        invited = await self.ask(stun.Method.ALLOCATE, signed=False, REQUESTED_TRANSPORT=UDP)
        self.nonce = invited.attributes["NONCE"]
        return await self.ask(stun.Method.ALLOCATE, REQUESTED_TRANSPORT=UDP, **attributes)

    async def permit(self, address):
        return await self.ask(stun.Method.CREATE_PERMISSION, XOR_PEER_ADDRESS=(address, 9))


class Scene:
    """A server, a client and a peer on one internet."""

    def __init__(self, net):
        self.net = net
        self.host = Host(net.internet, SERVERS, Conditions(delay=0.01))
        self.server = TurnServer(self.host, SECRET)
        self.server.open(net.loop)

    async def client(self, credential=GOOD, address="198.18.0.2"):
        return Client(self.net, await self.net.mailbox(self.net.host(address)), credential)

    async def peer(self, address="198.18.0.3"):
        return await self.net.mailbox(self.net.host(address), 7000)


@pytest.fixture
def at_the_server(in_net):
    """Runs `scenario(scene)`."""
    return lambda scenario: in_net(lambda net: scenario(Scene(net)))


def code(message):
    return message.attributes["ERROR-CODE"][0]


def test_the_first_answer_names_realm_and_nonce(at_the_server):
    """Without credentials it is 401, with what the client needs to try again (RFC 8489 section 9.2.3)."""

    async def scenario(scene):
        answer = await (await scene.client()).ask(stun.Method.ALLOCATE, signed=False, REQUESTED_TRANSPORT=UDP)
        assert code(answer) == 401
        assert answer.attributes["REALM"] == REALM
        assert answer.attributes["NONCE"]

    at_the_server(scenario)


@pytest.mark.parametrize(
    "credential",
    [
        ephemeral(SECRET, "ada", EPOCH - 1),
        ephemeral("south", "ada", EPOCH + 86_400),
        Credential(f"{EPOCH + 86_400}:eve", GOOD.password),
        Credential("ada", "secret"),
    ],
    ids=["expired", "wrong secret", "another's password", "no expiry"],
)
def test_a_bad_credential_gets_no_relay(at_the_server, credential):
    """Expired, forged or borrowed: 401, and nothing is allocated."""

    async def scenario(scene):
        assert code(await (await scene.client(credential)).allocate()) == 401
        assert scene.server.relay.allocations == {}
        assert scene.server.relay.refusals == [(401, "Unauthenticated")]

    at_the_server(scenario)


def test_an_allocation_names_its_addresses(at_the_server):
    """The relayed address is the server's, the mapped one the client's, the answer signed, the lifetime the default."""

    async def scenario(scene):
        client = await scene.client()
        answer = await client.allocate()
        assert answer.attributes["XOR-RELAYED-ADDRESS"][0] == SERVERS[0]
        assert answer.attributes["XOR-MAPPED-ADDRESS"] == client.box.address
        assert answer.attributes["LIFETIME"] == 600
        assert answer.check_message_integrity(long_term_key(GOOD.username, REALM, GOOD.password))

    at_the_server(scenario)


def test_the_same_request_again_is_answered_alike(at_the_server):
    """A retransmission gets the same relay; another Allocate on the same 5-tuple is a mismatch (section 7.2)."""

    async def scenario(scene):
        client = await scene.client()
        first = await client.allocate()
        again = await client.ask(stun.Method.ALLOCATE, transaction=first.transaction_id, REQUESTED_TRANSPORT=UDP)
        assert again.attributes["XOR-RELAYED-ADDRESS"] == first.attributes["XOR-RELAYED-ADDRESS"]
        assert code(await client.ask(stun.Method.ALLOCATE, REQUESTED_TRANSPORT=UDP)) == 437

    at_the_server(scenario)


def test_only_a_peer_with_a_permission_is_relayed(at_the_server):
    """Both ways: without a permission nothing passes; with one any port of that address does, for five minutes."""

    async def scenario(scene):
        client, peer = await scene.client(), await scene.peer()
        relayed = (await client.allocate()).attributes["XOR-RELAYED-ADDRESS"]

        def send(data):
            attributes = {"XOR-PEER-ADDRESS": peer.address, "DATA": data}
            client.box.send(bytes(stun.Message(stun.Method.SEND, stun.Class.INDICATION, attributes=attributes)), SERVER)

        send(b"early")
        peer.send(b"early", relayed)
        await asyncio.sleep(1)
        assert peer.got == []
        assert (await client.permit(peer.address[0])).message_class == stun.Class.RESPONSE
        send(b"now")
        peer.send(b"back", relayed)
        await asyncio.sleep(1)
        assert peer.got == [(b"now", relayed)]
        indication = stun.parse_message(client.box.got[-1][0]).attributes
        assert (indication["DATA"], indication["XOR-PEER-ADDRESS"]) == (b"back", peer.address)
        assert scene.server.relay.relayed_bytes == 7
        await asyncio.sleep(300)
        send(b"late")
        await asyncio.sleep(1)
        assert peer.texts() == [b"now"]

    at_the_server(scenario)


def test_a_channel_carries_data_with_four_bytes_of_header(at_the_server):
    """ChannelData goes both ways; one number stands for one peer, and one peer has one number (section 12)."""

    async def scenario(scene):
        client, peer = await scene.client(), await scene.peer()
        relayed = (await client.allocate()).attributes["XOR-RELAYED-ADDRESS"]

        async def bind(number, to):
            return await client.ask(stun.Method.CHANNEL_BIND, CHANNEL_NUMBER=number, XOR_PEER_ADDRESS=to)

        assert (await bind(0x4001, peer.address)).message_class == stun.Class.RESPONSE
        client.box.send(struct.pack("!HH", 0x4001, 2) + b"hi", SERVER)
        peer.send(b"ho", relayed)
        await asyncio.sleep(1)
        assert peer.got == [(b"hi", relayed)]
        assert client.box.got[-1][0] == struct.pack("!HH", 0x4001, 2) + b"ho"
        other = (peer.address[0], 7001)
        assert [code(await bind(*wrong)) for wrong in ((0x4001, other), (0x4002, peer.address), (0x3FFF, other))] == [
            400,
            400,
            400,
        ]
        await asyncio.sleep(301)
        peer.send(b"unheard: the permission is over", relayed)
        await asyncio.sleep(1)
        assert client.box.got[-1][0].find(b"unheard") == -1

    at_the_server(scenario)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.1.1", "10.0.0.1", "192.168.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1"]
)
def test_no_relay_to_special_addresses(at_the_server, address):
    """Loopback, link-local, private and special addresses are forbidden, as a permission and as a channel (403)."""

    async def scenario(scene):
        client = await scene.client()
        await client.allocate()
        bound = await client.ask(stun.Method.CHANNEL_BIND, CHANNEL_NUMBER=0x4001, XOR_PEER_ADDRESS=(address, 9))
        assert [code(await client.permit(address)), code(bound)] == [403, 403]

    at_the_server(scenario)
    assert not may_relay_to(address)


def test_an_allocation_ends_unless_it_is_refreshed(at_the_server):
    """Its life is what was granted; a refresh prolongs it, to an hour at most, and one of zero ends it (section 8)."""

    async def scenario(scene):
        client = await scene.client()
        allocations = scene.server.relay.allocations
        await client.allocate(LIFETIME=60)
        await asyncio.sleep(599)
        assert (await client.ask(stun.Method.REFRESH, LIFETIME=100_000)).attributes["LIFETIME"] == 3600
        await asyncio.sleep(3000)
        assert len(allocations) == 1
        await asyncio.sleep(601)
        assert allocations == {}
        assert scene.host.open_sockets == 5
        await client.allocate()
        assert len(allocations) == 1
        assert (await client.ask(stun.Method.REFRESH, LIFETIME=0)).attributes["LIFETIME"] == 0
        assert allocations == {}

    at_the_server(scenario)


def test_an_old_nonce_is_stale(at_the_server):
    """After an hour the server asks for a fresh one (438), and a made-up nonce is never good."""

    async def scenario(scene):
        client = await scene.client()
        client.nonce = b"1800000000-0123456789abcdef"
        assert code(await client.ask(stun.Method.ALLOCATE, REQUESTED_TRANSPORT=UDP)) == 438
        await client.allocate()
        await asyncio.sleep(3601)
        stale = await client.ask(stun.Method.ALLOCATE, REQUESTED_TRANSPORT=UDP)
        assert code(stale) == 438
        client.nonce = stale.attributes["NONCE"]
        assert (await client.ask(stun.Method.ALLOCATE, REQUESTED_TRANSPORT=UDP)).message_class == stun.Class.RESPONSE

    at_the_server(scenario)


def test_nobody_uses_anothers_allocation(at_the_server):
    """The same 5-tuple with another user's credential is 441; without an allocation it is 437."""

    async def scenario(scene):
        client = await scene.client()
        await client.allocate()
        client.credential = ephemeral(SECRET, "bob", EPOCH + 86_400)
        assert code(await client.permit("198.18.0.3")) == 441
        stranger = await scene.client(address="198.18.0.4")
        stranger.nonce = client.nonce
        assert code(await stranger.permit("198.18.0.3")) == 437

    at_the_server(scenario)


@pytest.mark.parametrize(("attributes", "expected"), [({}, 400), ({"REQUESTED_TRANSPORT": 0x06000000}, 442)])
def test_only_udp_is_relayed(at_the_server, attributes, expected):
    """No transport named is a bad request; TCP is unsupported."""

    async def scenario(scene):
        client = await scene.client()
        client.nonce = (await client.ask(stun.Method.ALLOCATE, signed=False)).attributes["NONCE"]
        assert code(await client.ask(stun.Method.ALLOCATE, **attributes)) == expected

    at_the_server(scenario)


@pytest.mark.parametrize(
    ("change", "origin"),
    [
        (0, SERVER),
        (2, (SERVERS[0], OTHER_PORT)),
        (4, (SERVERS[1], PORT)),
        (6, (SERVERS[1], OTHER_PORT)),
    ],
)
def test_discovery_is_answered_from_the_address_asked_for(at_the_server, change, origin):
    """CHANGE-REQUEST changes address, port or both; OTHER-ADDRESS is both (RFC 5780 section 6.1)."""

    async def scenario(scene):
        client = await scene.client()
        answer = await client.ask(stun.Method.BINDING, signed=False, CHANGE_REQUEST=change)
        assert client.box.got[-1][1] == origin == answer.attributes["RESPONSE-ORIGIN"]
        assert answer.attributes["OTHER-ADDRESS"] == (SERVERS[1], OTHER_PORT)
        assert answer.attributes["XOR-MAPPED-ADDRESS"] == client.box.address

    at_the_server(scenario)


def test_garbage_is_not_answered(at_the_server):
    """What is no STUN message, and ChannelData of strangers, go unheard; the server goes on."""

    async def scenario(scene):
        client = await scene.client()
        for garbage in (b"", b"\0", b"\x40\x01\x00\xff", bytes(20), b"\xff" * 100):
            client.box.send(garbage, SERVER)
        await asyncio.sleep(1)
        assert client.box.got == []
        assert (await client.allocate()).message_class == stun.Class.RESPONSE

    at_the_server(scenario)


def test_a_tcp_client_that_leaves_takes_its_allocation_along(at_the_server):
    """Messages over TCP may come in pieces; the end of the connection ends the allocation (section 8)."""

    async def scenario(scene):
        with scene.net.host("198.18.0.2").entered():
            reader, writer = await asyncio.open_connection(*SERVER)
        request = stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST, attributes={"REQUESTED-TRANSPORT": UDP})
        for byte in bytes(request):
            writer.write(bytes([byte]))
        invited = stun.parse_message(await reader.read(1000))
        shown = {"USERNAME": GOOD.username, "REALM": REALM, "NONCE": invited.attributes["NONCE"]}
        request = stun.Message(
            stun.Method.ALLOCATE, stun.Class.REQUEST, attributes={"REQUESTED-TRANSPORT": UDP, **shown}
        )
        request.add_message_integrity(long_term_key(GOOD.username, REALM, GOOD.password))
        writer.write(bytes(request))
        assert stun.parse_message(await reader.read(1000)).message_class == stun.Class.RESPONSE
        assert len(scene.server.relay.allocations) == 1
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(1)
        assert scene.server.relay.allocations == {}

    at_the_server(scenario)


def test_credentials_are_those_of_the_draft():
    """The user name is `expiry:user`, the password the base64 of its HMAC-SHA1."""
    made = ephemeral("north", "ada", 1_800_000_000)
    assert made == Credential("1800000000:ada", "RgrCQ8LW/vH5U93IENfd8YxpOx0=")
    assert expiry_of("1800000000:ada") == 1_800_000_000
    assert expiry_of("ada") is None
