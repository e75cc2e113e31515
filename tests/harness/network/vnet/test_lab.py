"""The in-process network as peers use it: NATs proven, pairs as in theory, repeatable, and nothing left behind."""

import asyncio
import contextlib
import gc
from dataclasses import replace

import pytest
from aiortc import RTCBundlePolicy, RTCCertificate, RTCConfiguration, RTCIceServer, RTCPeerConnection

from harness.errors import Trouble
from harness.network.nat import CGN, HOMES, KINDS, Turn, in_a_row
from harness.network.theory import connects
from harness.network.vnet.clock import Pace
from harness.network.vnet.lab import VirtualLab
from harness.network.vnet.link import Conditions
from harness.network.vnet.loop import run
from harness.network.vnet.trace import Trace


@pytest.fixture(autouse=True)
def one_certificate(monkeypatch):
    """All peers share a certificate, which takes a quarter off a pair's cost."""
    shared = RTCCertificate.generateCertificate()
    monkeypatch.setattr(RTCCertificate, "generateCertificate", lambda: shared)


def bare_peer(place):
    servers = [RTCIceServer(**server) for server in place.ice_servers]
    return RTCPeerConnection(RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


async def connected(one, other, patience=100.0):
    """Whether two bare aiortc peers at these places exchange a message both ways; the candidate types that they use."""
    offerer, answerer = bare_peer(one), bare_peer(other)
    over = asyncio.Event()
    echoes = []
    channel = offerer.createDataChannel("test")
    channel.on("open", lambda: channel.send("hello"))
    channel.on("message", lambda message: (echoes.append(message), over.set()))
    answerer.on("datachannel", lambda opened: opened.on("message", opened.send))
    for peer in (offerer, answerer):
        peer.on("connectionstatechange", lambda peer=peer: peer.connectionState == "failed" and over.set())
    with one.attached():
        await offerer.setLocalDescription(await offerer.createOffer())
    with other.attached():
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription(await answerer.createAnswer())
    with one.attached():
        await offerer.setRemoteDescription(answerer.localDescription)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            await over.wait()
    pair = offerer.sctp.transport.transport._connection._nominated.get(1)
    await asyncio.gather(offerer.close(), answerer.close())
    return echoes == ["hello"], pair and (pair.local_candidate.type, pair.remote_candidate.type)


async def tried(lab, one, other, turn):
    with lab.place(one, turn) as here, lab.place(other, turn) as there:
        return await connected(here, there)


async def test_every_nat_proves_what_it_is():
    """RFC 5780 discovery finds each kind, and double NAT, to be what it says; TCP ports, too."""
    # the loop of this test is asyncio's own: labs bring theirs
    found = await asyncio.to_thread(run, lambda _: proven())
    assert set(found) == set(HOMES)
    assert not any(seen.differences(in_a_row(HOMES[name], name)) for name, seen in found.items())
    assert found["tcp443only"].tcp_ports == {443}
    assert found["cgn"].hairpin is True


async def proven():
    async with VirtualLab() as lab:
        return await lab.prove()


def test_a_nat_that_is_not_what_it_says_stops_everything(monkeypatch):
    """A wrong NAT is trouble of ours, in one sentence."""
    monkeypatch.setitem(HOMES, "symmetric", (KINDS["fullcone"],))
    found = run(lambda _: proven())
    assert found["symmetric"].differences(KINDS["symmetric"]) == [
        "symmetric: mapping is endpoint-independent, and should be address-and-port-dependent",
        "symmetric: filtering is endpoint-independent, and should be address-and-port-dependent",
    ]
    monkeypatch.setattr("harness.network.vnet.lab.in_a_row", lambda home, name: KINDS["symmetric"])
    with pytest.raises(Trouble, match="a NAT is not what it says: symmetric: mapping is endpoint-independent"):
        run(lambda _: proven())


@pytest.mark.parametrize("turn", Turn)
@pytest.mark.parametrize("one", KINDS)
def test_the_truth_table(one, turn):
    """Offerer of this kind, answerers of every kind: exactly those pairs connect that theory says."""

    async def row(_):
        async with VirtualLab(seed=5) as lab:
            results = {name: (await tried(lab, KINDS[one], kind, turn))[0] for name, kind in KINDS.items()}
            await asyncio.sleep(60)
            assert (lab.server_host.open_sockets, lab.server.relay.allocations) == (6, {})
            return results

    assert run(row) == {name: connects(KINDS[one], kind, turn) for name, kind in KINDS.items()}


@pytest.mark.parametrize(
    ("one", "other", "turn", "types"),
    [
        ("fullcone", "fullcone", Turn.NONE, ("host", "srflx")),
        ("portrestricted", "addrrestricted", Turn.NONE, ("host", "srflx")),
        ("tcp443only", "symmetric", Turn.TLS, ("relay", "srflx")),
    ],
)
def test_the_path_is_the_expected_one(one, other, turn, types):
    """Cone NATs are punched; a peer without UDP sends from its relay."""

    async def scenario(_):
        async with VirtualLab() as lab:
            ok, used = await tried(lab, KINDS[one], KINDS[other], turn)
            assert ok
            assert used[0] == types[0]
            assert (lab.relayed_bytes > 0) is (turn is not Turn.NONE)

    run(scenario)


@pytest.mark.parametrize("home", ["cgn", "cgn-symmetric"])
def test_double_nat_connects_as_its_whole_row_does(home):
    """Two NATs in a row behave like the stricter of them."""

    async def scenario(_):
        async with VirtualLab() as lab:
            whole = in_a_row(HOMES[home])
            for name, kind in KINDS.items():
                ok, _ = await tried(lab, HOMES[home], kind, Turn.NONE)
                assert ok is connects(whole, kind, Turn.NONE), name

    run(scenario)


@pytest.mark.parametrize(
    ("hairpin", "turn", "connects_"), [(False, "none", False), (True, "none", True), (False, "udp", True)]
)
def test_neighbours_behind_one_carrier(hairpin, turn, connects_):
    """Two homes behind the same carrier's NAT need its hairpinning, or a relay."""

    async def scenario(_):
        async with VirtualLab() as lab:
            carrier = lab.carrier(replace(CGN, hairpin=hairpin))
            kind = KINDS["portrestricted"]
            with lab.place(kind, Turn(turn), within=carrier) as one, lab.place(kind, Turn(turn), within=carrier) as two:
                assert (await connected(one, two))[0] is connects_

    run(scenario)


def test_the_same_seed_gives_the_same_packets():
    """Times and addresses of every packet repeat with the seed, for whole WebRTC connections over jittery lines."""

    def digest(seed):
        async def scenario(_):
            trace = Trace(contents=False)
            async with VirtualLab(seed, Conditions(delay=0.02, jitter=0.005, reordering=0.02)) as lab:
                lab.world.watchers.append(trace)
                for other in ("portrestricted", "symmetric"):
                    assert (await tried(lab, KINDS["symmetric"], KINDS[other], Turn.UDP))[0]
            return trace.packets, trace.digest()

        return run(scenario)

    first = digest(11)
    assert first[0] > 100
    assert digest(11) == first
    assert digest(12)[1] != first[1]


def test_many_pairs_leave_nothing_behind():
    """After a crowd of pairs, some of which fail, no place, socket, allocation, task or packet is left."""

    async def scenario(loop):
        async with VirtualLab(seed=3) as lab:
            kinds = [KINDS[name] for name in ("portrestricted", "symmetric", "udpblocked")]
            for turn in (Turn.UDP, Turn.TLS):
                await asyncio.gather(*(tried(lab, one, other, turn) for one in kinds for other in kinds))
            await asyncio.sleep(60)
            assert lab._places == {}
            assert lab.server.relay.allocations == {}
            assert lab.server_host.open_sockets == 6
            assert len(asyncio.all_tasks()) == 1
            lines = len(lab.internet._lines)
        gc.collect()
        return lines

    assert run(scenario) == 2


def test_losses_need_the_real_clock():
    """OpenSSL times DTLS by the wall: a lab that loses packets in virtual time is refused, one in real time is not."""

    async def lossy(_):
        async with VirtualLab(access=Conditions(delay=0.001, loss=0.05)) as lab:
            return await tried(lab, KINDS["fullcone"], KINDS["fullcone"], Turn.NONE)

    with pytest.raises(Trouble, match="packets cannot be lost while the clock is virtual"):
        run(lossy)
    assert run(lossy, Pace.REAL)[0]


def test_a_lab_needs_a_loop_of_its_own():
    """On asyncio's own loop it says what to do."""

    async def scenario():
        async with VirtualLab():
            pass

    with pytest.raises(Trouble, match="an event loop of its own"):
        asyncio.run(scenario())


def test_a_cut_place_hears_nothing_until_it_is_healed():
    """A blackhole on one peer's line stops both directions; aiortc notices by consent after half a minute."""

    async def scenario(loop):
        async with VirtualLab() as lab:
            with lab.place(KINDS["fullcone"], Turn.NONE) as one, lab.place(KINDS["fullcone"], Turn.NONE) as two:
                one.cut()
                assert not (await connected(one, two))[0]
                one.heal()
                assert (await connected(one, two))[0]

    run(scenario)


def test_a_public_host_and_the_turn_server_connect_without_any_nat():
    """An empty row of NATs is a host of its own on the internet."""

    async def scenario(_):
        async with VirtualLab() as lab:
            ok, used = await tried(lab, (), (), Turn.NONE)
            assert ok
            assert used == ("host", "host")

    run(scenario)
