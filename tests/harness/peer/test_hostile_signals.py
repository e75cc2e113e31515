"""Signals that are wrong, lost, doubled or late: each ends in its named stage, and other pairs do not notice."""

from __future__ import annotations

import asyncio

import pytest

from harness.network.loopback import Loopback
from harness.peer.attempt import LONGEST
from harness.peer.peer import connect_peer
from harness.peer.result import pair_result
from harness.peer.stage import Role, Stage
from tests.harness.peer.bending import HEAD, forged, garbled, misled, strange, without
from tests.harness.peer.wire import DEADLINE, Signal, Wire, both, wires

SHORT = 0.8
"""A deadline for attempts that can only end by it."""


def ends_first():
    """A wire on which candidates come after the end of candidates."""
    held: list[Signal] = []

    def bend(signal: Signal) -> list[Signal]:
        if signal.kind != "ice-candidate":
            return [signal]
        if signal.body["candidate"]["candidate"]:
            held.append(signal)
            return []
        return [signal, *held]

    return bend


def answers_twice(signal: Signal) -> list[Signal]:
    """Another answer after the first."""
    if signal.kind != "answer":
        return [signal]
    other = {"type": "answer", "sdp": signal.body["answer"]["sdp"].replace("s=-", "s=other")}
    return [signal, Signal("answer", {"answer": other})]


@pytest.mark.parametrize(
    ("bend", "stage", "detail"),
    [
        (forged, Stage.DTLS, "no DTLS connection"),
        (without("answer"), Stage.SIGNALLING_LOST, "no description"),
        (answers_twice, Stage.SIGNALLING_DOUBLED, "a second, different answer"),
    ],
)
async def test_an_answer_that_is_wrong(bend, stage, detail):
    """What is wrong with the answer is the stage of the offerer, and explains the pair."""
    left, right = wires()
    right.bend = bend
    offerer, answerer = await both(left, right, SHORT)
    assert (offerer.stage, pair_result(offerer, answerer).stage) == (stage, stage), (offerer, answerer)
    assert detail in offerer.detail


@pytest.mark.parametrize(
    ("bend", "stage", "detail"),
    [
        (misled, Stage.SIGNALLING_BROKEN, "mid '7'"),
        (strange, Stage.SIGNALLING_BROKEN, "another description"),
        (garbled, Stage.SIGNALLING_BROKEN, "what is this"),
        (without("ice-candidate"), Stage.SIGNALLING_LOST, "no candidate"),
        (ends_first(), Stage.SIGNALLING_REORDERED, "after their end"),
    ],
)
async def test_candidates_that_are_wrong(bend, stage, detail):
    """An answerer who gets no usable candidate says why, while the offerer's are held back, too."""
    left, right = wires()
    left.bend, right.bend = bend, without("ice-candidate")
    _, answerer = await both(left, right, SHORT)
    assert answerer.stage is stage, answerer
    assert detail in answerer.detail


async def test_one_candidate_that_is_none_does_no_harm():
    """A bad candidate among good ones is passed over, as a browser does."""
    left, right = wires()
    bad = Signal("ice-candidate", {"candidate": {"candidate": "candidate:nonsense", "sdpMid": "0"}})
    left.bend = lambda signal: [bad, signal]
    assert [result.stage for result in await both(left, right)] == [Stage.CONNECTED] * 2


async def test_candidates_for_another_description_do_no_harm():
    """Candidates of a peer connection that is no more are told apart by their user name fragment."""
    left, right = wires()
    stale = {"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdpMid": "0", "usernameFragment": "gone"}
    left.bend = lambda signal: [Signal("ice-candidate", {"candidate": stale}), signal]
    assert [result.stage for result in await both(left, right)] == [Stage.CONNECTED] * 2


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "without a description"),
        ({"offer": None}, "without a description"),
        ({"offer": {"sdp": "nonsense"}}, "without a description"),
        ({"offer": {"type": "offer", "sdp": HEAD + "a=garbage\r\n"}}, ""),
        ({"offer": {"type": "offer", "sdp": HEAD + "m=m=m=\r\n"}}, ""),
        ({"offer": {"type": "offer", "sdp": HEAD + "a=x\r\n" * 13_107}}, "65626 characters; at most 32768"),
        ({"offer": {"type": "offer", "sdp": HEAD}, "attempt": "two"}, "no number of an attempt"),
    ],
)
async def test_an_unusable_offer_is_the_signals_fault(body, detail):
    """A description that cannot be applied is `signalling-broken`, with the reason."""
    left, right = wires()
    left.other.inbox.put_nowait(Signal("offer", body))
    result = await connect_peer(right, Role.ANSWERER, Loopback(), DEADLINE)
    assert result.stage is Stage.SIGNALLING_BROKEN
    assert detail in result.detail
    assert result.detail


async def test_an_offer_just_short_enough_is_taken():
    """Length alone is no reason up to the limit: unknown attributes are passed over."""
    left, right = wires()

    def padded(signal: Signal) -> list[Signal]:
        if signal.kind == "offer":
            sdp = signal.body["offer"]["sdp"]
            signal.body["offer"]["sdp"] = sdp + "a=x\r\n" * ((LONGEST - len(sdp)) // 5)
        return [signal]

    left.bend = padded
    assert [result.stage for result in await both(left, right)] == [Stage.CONNECTED] * 2


async def test_an_answer_to_the_answerer_has_no_place():
    """Whoever answers is sent no answer."""
    left, right = wires()
    await left.send("answer", answer={"type": "answer", "sdp": HEAD})
    result = await connect_peer(right, Role.ANSWERER, Loopback(), DEADLINE)
    assert (result.stage, result.detail) == (Stage.SIGNALLING_BROKEN, "an answer came to the side that answers")


async def test_a_signal_that_never_came_is_named():
    """Where senders number their signals, a gap explains why no pair of candidates worked."""
    left, right = wires()
    dead = {"candidate": "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
    for wire in (left, right):
        wire.bend = without("ice-candidate")
    attempt = asyncio.create_task(both(left, right, SHORT))
    await left.began.wait()
    right.inbox.put_nowait(Signal("ice-candidate", {"candidate": dead}, seq=9))
    _, answerer = await attempt
    assert answerer.stage is Stage.SIGNALLING_LOST
    assert "[2, 3, 4, 5, 6, 7, 8]" in answerer.detail


async def test_what_the_target_refused_is_told():
    """An offer that the target did not take is named where no answer comes."""

    class Refusing(Wire):
        async def send(self, kind, /, **body):
            return False

    left = Refusing()
    result = await connect_peer(left, Role.OFFERER, Loopback(), 0.3)
    assert (result.stage, "may not have our offer" in result.detail) == (Stage.SIGNALLING_LOST, True)


@pytest.mark.parametrize("kind", ["offer", "answer"])
async def test_a_description_of_another_session(kind):
    """A stranger's description that reaches a pair beside its own is `signalling-doubled`; his own pair connects."""
    strangers, pair, stolen = wires(), wires(), []

    def leaky(signal: Signal) -> list[Signal]:
        if signal.kind == kind:
            stolen.append(Signal(kind, signal.body))
        return [signal]

    for wire in strangers:
        wire.bend = leaky
    assert [result.stage for result in await both(*strangers)] == [Stage.CONNECTED] * 2
    for wire in pair:
        wire.bend = lambda signal: [signal, *stolen] if signal.kind == kind else [signal]
    assert pair_result(*await both(*pair, SHORT)).stage is Stage.SIGNALLING_DOUBLED


async def test_other_pairs_do_not_notice():
    """Pairs that connect beside hostile ones all connect."""
    hostile = []
    for bend in (forged, misled, garbled, answers_twice):
        left, right = wires()
        left.bend = right.bend = bend
        hostile.append(both(left, right, SHORT))
    results = await asyncio.gather(*hostile, *(both(*wires()) for _ in range(6)))
    assert [[side.stage for side in pair] for pair in results[4:]] == [[Stage.CONNECTED] * 2] * 6
    assert all(Stage.CONNECTED not in {side.stage for side in pair} for pair in results[1:3])
