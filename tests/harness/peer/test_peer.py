"""Two real peers on loopback, over signals in memory."""

from __future__ import annotations

import asyncio

import pytest

from harness.network.loopback import Loopback
from harness.peer.peer import Peer, PeerState, connect_peer
from harness.peer.spans import Step
from harness.peer.stage import Role, Stage
from tests.harness.peer.wire import DEADLINE, Signal, both, connected, wires


async def test_a_pair_connects_and_both_know_it():
    """Both sides end connected, on loopback addresses, with every step of the handshake timed in order."""
    left, right = wires()
    offerer, answerer = await both(left, right)
    assert (offerer.stage, answerer.stage) == (Stage.CONNECTED, Stage.CONNECTED), (offerer, answerer)
    assert offerer.path == answerer.path == "host/host"
    expected = {
        Role.OFFERER: ["matched", "gathered", "offer_sent", "answer", "ice", "dtls", "open", "first_data", "connected"],
        Role.ANSWERER: ["matched", "offer_received", "gathered", "answer", "ice", "dtls", "open", "connected"],
    }
    for result in (offerer, answerer):
        times = [result.times[step] for step in expected[result.role]]
        assert times == sorted(times)
        assert set(result.times) <= {step.value for step in Step}
        assert 0 < result.quality.rtt < DEADLINE


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
    for result in await both(left, right):
        assert result.stage is Stage.CONNECTED
        assert result.disorder["repeated"] >= 1


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


@pytest.mark.parametrize("polite", [None, (True, False), (False, True)])
async def test_when_both_offer_one_yields(polite):
    """One of two offerers starts anew as the answerer, the same one in the view of both, and they connect."""
    left, right = wires()
    network = Loopback()
    async with (
        Peer(Role.OFFERER, network, polite=polite and polite[0]) as one,
        Peer(Role.OFFERER, network, polite=polite and polite[1]) as other,
    ):
        results = await asyncio.gather(one.connect(left, DEADLINE), other.connect(right, DEADLINE))
    assert [result.stage for result in results] == [Stage.CONNECTED] * 2, results
    assert {result.role for result in results} == {Role.OFFERER, Role.ANSWERER}
    assert all(result.glare for result in results)
    if polite:
        assert [result.role is Role.ANSWERER for result in results] == list(polite)


async def test_a_proven_peer_says_its_last_candidate_before_it_returns():
    """Both ends have sent their end of candidates when their attempts are over, however fast the path was."""
    async with connected() as pair:
        for wire in pair.wires:
            assert wire.sent[-1].body["candidate"]["candidate"] == ""
        assert [peer.state for peer in pair.peers] == [PeerState.CONNECTED] * 2


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
