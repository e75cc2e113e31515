"""Two real peers on loopback, over signals in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from harness.network.loopback import Loopback
from harness.peer.peer import Peer, PeerResult, connect_peer
from harness.peer.stage import Role, Stage

DEADLINE = 10.0


@dataclass
class Signal:
    kind: str
    body: dict


@dataclass
class Wire:
    """One end of a signal channel in memory; `bend` may drop, change or reorder what is sent."""

    inbox: asyncio.Queue = field(default_factory=asyncio.Queue)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[Signal] = field(default_factory=list)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    other: Wire | None = None
    bend: object = None

    async def send(self, kind, /, **body):
        signal = Signal(kind, body)
        self.sent.append(signal)
        self.began.set()
        for bent in [signal] if self.bend is None else self.bend(signal):
            self.other.inbox.put_nowait(bent)

    async def receive(self, timeout):
        return await asyncio.wait_for(self.inbox.get(), timeout)


def wires() -> tuple[Wire, Wire]:
    left, right = Wire(), Wire()
    left.other, right.other = right, left
    return left, right


async def both(left: Wire, right: Wire, deadline: float = DEADLINE) -> tuple[PeerResult, PeerResult]:
    network = Loopback()
    return await asyncio.gather(
        connect_peer(left, Role.OFFERER, network, deadline), connect_peer(right, Role.ANSWERER, network, deadline)
    )


async def test_a_pair_connects_and_both_know_it():
    """Both sides end connected, on loopback addresses, with every step of the handshake timed in order."""
    left, right = wires()
    offerer, answerer = await both(left, right)
    assert (offerer.stage, answerer.stage) == (Stage.CONNECTED, Stage.CONNECTED), (offerer, answerer)
    assert offerer.path == answerer.path == "host/host"
    times = offerer.times
    assert times["offer"] <= times["answer"] <= times["ice"] <= times["dtls"] <= times["open"] <= times["data"]


async def test_it_trickles_as_a_browser_does():
    """A description without candidates comes first, then loopback candidates one by one, then their end."""
    left, right = wires()
    await both(left, right)
    for wire, kind in ((left, "offer"), (right, "answer")):
        first, *rest = wire.sent
        assert first.kind == kind
        assert "a=candidate" not in first.body[kind]["sdp"]
        assert [signal.kind for signal in rest] == ["ice-candidate"] * len(rest)
        *candidates, end = (signal.body["candidate"]["candidate"] for signal in rest)
        assert end == ""
        assert candidates
        assert all(" 127.0.0.1 " in candidate for candidate in candidates)


async def test_candidates_that_come_before_the_offer_are_kept():
    """The answerer queues candidates until it has the description, so that a pair still connects."""
    left, right = wires()
    held: list[Signal] = []

    def late_offer(signal: Signal) -> list[Signal]:
        if signal.kind == "offer":
            held.append(signal)
            return []
        return [signal, *held] if not signal.body["candidate"]["candidate"] else [signal]

    left.bend = late_offer
    assert [result.stage for result in await both(left, right)] == [Stage.CONNECTED] * 2


async def test_signals_that_come_twice_do_no_harm():
    """At-least-once delivery is enough."""
    left, right = wires()
    left.bend = right.bend = lambda signal: [signal, signal]
    assert [result.stage for result in await both(left, right)] == [Stage.CONNECTED] * 2


async def test_a_lost_answer_is_told_from_a_lost_path():
    """Without an answer the offerer's stage is signalling, and the answerer's is ICE: neither blames the wrong part."""
    left, right = wires()
    right.bend = lambda signal: [] if signal.kind == "answer" else [signal]
    offerer, answerer = await both(left, right, deadline=1.0)
    assert offerer.stage is Stage.SIGNALLING_LOST
    assert "description" in offerer.detail
    assert answerer.stage is Stage.ICE_CHECKS_TIMEOUT


async def test_nobody_on_the_other_side_is_lost_signalling():
    """An answerer whose partner never shows up gives up at its deadline."""
    result = await connect_peer(wires()[0], Role.ANSWERER, Loopback(), 0.2)
    assert result.stage is Stage.SIGNALLING_LOST


async def test_both_offering_is_glare():
    """An offerer that gets an offer says so at once, instead of waiting for its deadline."""
    left, right = wires()
    network = Loopback()
    results = await asyncio.gather(
        connect_peer(left, Role.OFFERER, network, DEADLINE), connect_peer(right, Role.OFFERER, network, DEADLINE)
    )
    assert Stage.SIGNALLING_BROKEN in {result.stage for result in results}
    assert any("glare" in result.detail for result in results)


@pytest.mark.parametrize("body", [{}, {"offer": None}, {"offer": {"sdp": "nonsense"}}])
async def test_an_unusable_offer_is_the_signals_fault(body):
    """A description that cannot be applied is `signalling-broken`, with the reason."""
    left, right = wires()
    left.other.inbox.put_nowait(Signal("offer", body))
    result = await connect_peer(right, Role.ANSWERER, Loopback(), DEADLINE)
    assert result.stage is Stage.SIGNALLING_BROKEN
    assert result.detail


async def test_a_forged_fingerprint_fails_at_dtls():
    """A pair whose keys do not fit has a path but no connection."""
    left, right = wires()

    def forged(signal: Signal) -> list[Signal]:
        if signal.kind == "answer":
            head, mark, tail = signal.body["answer"]["sdp"].partition("a=fingerprint:sha-256 ")
            tail = ("00" if tail[:2] != "00" else "01") + tail[2:]
            others = [line for line in tail.split("\r\n") if not line.startswith("a=fingerprint")]
            signal.body["answer"]["sdp"] = head + mark + "\r\n".join(others)
        return [signal]

    right.bend = forged
    offerer, _ = await both(left, right, deadline=1.5)
    assert offerer.stage is Stage.DTLS


async def test_an_ended_session_aborts_the_attempt():
    """When the session is told over, the attempt ends at once as `aborted`."""
    left, _ = wires()
    attempt = asyncio.create_task(connect_peer(left, Role.OFFERER, Loopback(), DEADLINE))
    left.ended.set()
    assert (await attempt).stage is Stage.ABORTED


async def test_call_ended_aborts_the_attempt():
    """The document's call-ended signal does the same."""
    left, right = wires()
    await right.send("call-ended")
    assert (await connect_peer(left, Role.OFFERER, Loopback(), DEADLINE)).stage is Stage.ABORTED


async def test_a_cancelled_attempt_leaves_no_task_behind():
    """Cancelling an attempt cancels and awaits what it started, and closes its sockets."""
    before = asyncio.all_tasks()
    left, _ = wires()
    attempt = asyncio.create_task(connect_peer(left, Role.OFFERER, Loopback(), DEADLINE))
    await left.began.wait()
    attempt.cancel()
    await asyncio.gather(attempt, return_exceptions=True)
    assert asyncio.all_tasks() - before == set()


async def test_close_may_be_called_twice():
    """A second close does nothing."""
    peer = Peer(Role.OFFERER, Loopback())
    await peer.close()
    await peer.close()
