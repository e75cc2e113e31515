"""A handshake of signals alone."""

from __future__ import annotations

import asyncio

from harness.actor.rehearsal import rehearse
from harness.peer.stage import Role, Stage


async def test_both_sides_exchange_what_a_peer_would(channel_pair):
    """One offer, one answer, and from each side a candidate and the end of candidates."""
    left, right = channel_pair()
    stages = await asyncio.gather(rehearse(left, Role.OFFERER, 5.0), rehearse(right, Role.ANSWERER, 5.0))
    assert stages == [Stage.CONNECTED, Stage.CONNECTED]
    assert left.sent == ["offer", "ice-candidate", "ice-candidate"]
    assert right.sent == ["answer", "ice-candidate", "ice-candidate"]


async def test_a_silent_partner_is_lost_signalling(channel_pair):
    """Without the other side the attempt ends at its deadline."""
    left, _ = channel_pair()
    assert await rehearse(left, Role.OFFERER, 0.05) is Stage.SIGNALLING_LOST


async def test_the_end_of_the_session_aborts(channel_pair):
    """Being told of the end, or a call-ended, ends the attempt at once."""
    left, right = channel_pair()
    left.ended.set()
    assert await rehearse(left, Role.ANSWERER, 60.0) is Stage.ABORTED
    await left.send("call-ended")
    assert await rehearse(right, Role.ANSWERER, 60.0) is Stage.ABORTED


async def test_an_offer_is_answered_once(channel_pair):
    """At-least-once delivery does not make a second answer."""
    left, right = channel_pair()
    await left.send("offer", offer={})
    await left.send("offer", offer={})
    await left.send("ice-candidate", candidate={"candidate": ""})
    assert await rehearse(right, Role.ANSWERER, 5.0) is Stage.CONNECTED
    assert right.sent.count("answer") == 1
