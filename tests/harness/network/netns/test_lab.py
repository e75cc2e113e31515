"""The kernel network as a whole: every NAT is what it says, places are apart, and the machine never notices."""

from __future__ import annotations

import asyncio
import socket
import subprocess

import pytest

from harness.errors import Trouble
from harness.network.nat import HOMES, KINDS, Discovered, Turn, in_a_row
from harness.network.netns.lab import KernelLab
from harness.network.netns.place import KernelPlace
from harness.network.netns.relay import ADDRESSES, STUN_PORT

STUN = (ADDRESSES[0], STUN_PORT)
BINDING = b"\x00\x01\x00\x00\x21\x12\xa4\x42anybody home"


class Mailbox(asyncio.DatagramProtocol):
    """Keeps the next datagram."""

    def __init__(self) -> None:
        self.came: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.came.done():
            self.came.set_result(data)


async def answer_at(place: KernelPlace, seconds: float) -> bytes | None:
    """What the STUN server says to one question from there; None when nothing comes in time."""
    with place.attached():
        transport, box = await asyncio.get_running_loop().create_datagram_endpoint(Mailbox, remote_addr=STUN)
    try:
        transport.sendto(BINDING)
        async with asyncio.timeout(seconds):
            return await box.came
    except TimeoutError:
        return None
    finally:
        transport.close()


async def test_every_nat_proves_what_it_is(lab: KernelLab) -> None:
    """Each way out is found by RFC 5780 to be of its kind, also the double ones."""
    found = await lab.prove()
    assert found.keys() == HOMES.keys()
    assert not [line for name, home in HOMES.items() for line in found[name].differences(in_a_row(home, name))]
    assert found["tcp443only"].tcp_ports == {443}
    assert found["cgn"].hairpin is True


async def test_a_nat_that_is_not_what_it_says_stops_everything(lab: KernelLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first difference is trouble of ours, in one line."""

    async def blocked(*_: object, **__: object) -> Discovered:
        return Discovered(udp=False)

    monkeypatch.setattr("harness.network.netns.lab.discover", blocked)
    with pytest.raises(Trouble, match=r"a NAT is not what it says: fullcone: UDP is blocked"):
        await lab.prove()


async def test_open_places_share_no_nat_and_closed_ones_are_lent_again(lab: KernelLab) -> None:
    """Two places of one kind have different addresses; after `close`, which may be called twice, one is lent anew."""
    one, other = lab.place(KINDS["fullcone"], Turn.NONE), lab.place(KINDS["fullcone"], Turn.NONE)
    assert one.address != other.address
    one.close()
    one.close()
    again, third = lab.place(KINDS["fullcone"], Turn.NONE), lab.place(KINDS["fullcone"], Turn.NONE)
    assert again.address == one.address
    assert third.address not in {one.address, other.address}


async def test_a_cut_place_hears_nothing_until_it_is_healed(lab: KernelLab) -> None:
    """A blackhole: nothing comes, and sending raises nothing. A place that is lent again is whole."""
    for home in (KINDS["portrestricted"], ()):
        with lab.place(home, Turn.NONE) as place:
            assert await answer_at(place, 20) is not None
            place.cut()
            assert await answer_at(place, 0.3) is None
            place.heal()
            assert await answer_at(place, 20) is not None
            place.cut()
        with lab.place(home, Turn.NONE) as place:
            assert await answer_at(place, 20) is not None


async def test_sockets_elsewhere_are_the_machines_own(lab: KernelLab) -> None:
    """Outside `attached` the loop opens sockets as ever, and after the lab it is as it was."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Mailbox, local_addr=("127.0.0.1", 0))
    with lab.place(KINDS["fullcone"], Turn.NONE) as place, place.attached():
        there, _ = await loop.create_datagram_endpoint(Mailbox, local_addr=(place.address, 0))
    addresses = [one.get_extra_info("sockname")[0] for one in (transport, there)]
    transport.close()
    there.close()
    assert addresses == ["127.0.0.1", place.address]


async def test_the_machine_never_notices() -> None:
    """Its devices, rules and namespaces are the same while a lab is there, and after it."""

    def seen() -> list[str]:
        commands = (["ip", "-o", "link"], ["ip", "rule"], ["ip", "route"], ["ip", "netns"], ["nft", "list", "ruleset"])
        return [subprocess.run(command, capture_output=True, text=True).stdout for command in commands]

    before = seen()
    async with KernelLab() as lab:
        lab.place(KINDS["fullcone"], Turn.NONE)
        assert seen() == before
        with pytest.raises(OSError), socket.socket() as outside:
            outside.bind((ADDRESSES[0], 0))
    assert seen() == before
