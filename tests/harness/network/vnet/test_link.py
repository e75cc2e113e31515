"""Lines: delay, jitter, loss, reordering and rate do what they say."""

import asyncio
import itertools
from random import Random

import pytest

from harness.network.vnet.link import Conditions, Link
from harness.network.vnet.loop import run
from harness.network.vnet.packet import HEADER, Flag, Packet, Segment
from harness.network.vnet.post import Post

A, B = ("198.18.0.1", 1), ("198.18.0.2", 2)


def carried(conditions, packets, every=0.0, seed=1):
    """Sends packets over a line; returns (arrival, payload) as they arrive."""
    arrived = []

    async def main(loop):
        link = Link(Post(loop), conditions, Random(seed))
        for packet in packets:
            link.carry(packet, lambda packet: arrived.append((round(loop.time(), 6), packet.payload)))
            if every:
                await asyncio.sleep(every)
        await asyncio.sleep(3600)

    run(main)
    return arrived


def numbered(count, size=4):
    return [Packet("udp", A, B, number.to_bytes(size, "big")) for number in range(count)]


def numbers(arrived):
    return [int.from_bytes(payload, "big") for _, payload in arrived]


def test_delay_is_exact_and_order_stays():
    """Everything takes as long as the line does, in the order of sending."""
    arrived = carried(Conditions(delay=0.05), numbered(100))
    assert {when for when, _ in arrived} == {0.05}
    assert numbers(arrived) == list(range(100))


def test_nothing_arrives_at_once():
    """Even a line without delay delivers later, so that no protocol is called while it sends."""
    order = []

    async def main(loop):
        Link(Post(loop), Conditions(), Random(1)).carry(numbered(1)[0], lambda _: order.append("arrived"))
        order.append("sent")
        await asyncio.sleep(0.001)

    run(main)
    assert order == ["sent", "arrived"]


def test_jitter_varies_the_delay_and_keeps_the_order():
    """Delays lie within delay ± jitter; jitter alone overtakes nothing."""
    arrived = carried(Conditions(delay=0.1, jitter=0.04), numbered(200), every=0.1)
    delays = [when - 0.1 * number for (when, _), number in zip(arrived, numbers(arrived), strict=True)]
    assert 0.06 <= min(delays) < 0.07
    assert 0.13 < max(delays) <= 0.140001
    assert numbers(carried(Conditions(delay=0.1, jitter=0.1), numbered(200), every=0.001)) == list(range(200))


def test_the_share_of_lost_packets_is_that_of_the_line():
    """A tenth of ten thousand packets, within four standard deviations."""
    arrived = carried(Conditions(loss=0.1), numbered(10_000))
    assert 10_000 - len(arrived) == pytest.approx(1000, abs=120)


def test_reordering_holds_some_packets_back():
    """A share of packets is overtaken by those behind it, and all arrive."""
    got = numbers(carried(Conditions(delay=0.1, reordering=0.05), numbered(1000), every=0.02))
    overtaken = sum(later < earlier for earlier, later in itertools.pairwise(got))
    assert sorted(got) == list(range(1000))
    assert 20 <= overtaken <= 90


def test_rate_spaces_packets_and_drops_what_waits_too_long():
    """1000 bytes a second carry ten packets of 100 bytes each second; a second's worth is queued, the rest is lost."""
    packets = numbered(30, size=100 - HEADER)
    arrived = carried(Conditions(rate=1000.0), packets)
    times = [when for when, _ in arrived]
    assert times == pytest.approx([0.1 * (number + 1) for number in range(len(arrived))])
    assert 10 <= len(arrived) <= 12


def test_tcp_is_late_and_never_lost():
    """Losses cost TCP its retransmission time-out; the segments all come."""
    segments = [Packet("tcp", A, B, Segment(Flag.DATA, number)) for number in range(500)]
    arrived = carried(Conditions(delay=0.01, loss=0.2), segments, every=2.0)
    late = [when - 2.0 * segment.number for when, segment in arrived]
    assert len(arrived) == 500
    assert {round(delay, 2) for delay in late} >= {0.01, 0.21, 0.61}


def test_a_cut_line_swallows_everything():
    """A blackhole: nobody is told, and what was under way still comes."""
    arrived = []

    async def main(loop):
        link = Link(Post(loop), Conditions(delay=1.0), Random(1))
        before, after = numbered(2)
        link.carry(before, arrived.append)
        link.cut = True
        link.carry(after, arrived.append)
        await asyncio.sleep(10)
        return link.lost

    assert run(main) == 1
    assert [packet.payload for packet in arrived] == [b"\0\0\0\0"]


def test_one_bad_receiver_does_not_hold_up_the_rest():
    """An error in whoever gets a packet is told to the loop; the packets behind it still come."""
    arrived, told = [], []

    async def main(loop):
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        link = Link(Post(loop), Conditions(delay=0.01), Random(1))

        def deliver(packet):
            arrived.append(packet)
            if len(arrived) == 1:
                raise ZeroDivisionError

        for packet in numbered(3):
            link.carry(packet, deliver)
        await asyncio.sleep(1)

    run(main)
    assert len(arrived) == 3
    assert [type(error) for error in told] == [ZeroDivisionError]
