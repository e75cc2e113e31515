"""Signals from hand to hand."""

from __future__ import annotations

import pytest

from harness.peer.wire import wires


async def test_signals_arrive_in_order_with_their_numbers():
    """Each end numbers what it sends from 1, and hears the other alone."""
    left, right = wires()
    assert await left.send("offer", offer={"sdp": "x"})
    assert await left.send("ice-candidate", candidate=None)
    assert await right.send("answer", answer={"sdp": "y"})
    heard = [await right.receive(1) for _ in range(2)]
    assert [(one.kind, one.seq, one.body) for one in heard] == [
        ("offer", 1, {"offer": {"sdp": "x"}}), ("ice-candidate", 2, {"candidate": None}),
    ]  # fmt: skip
    assert (await left.receive(1)).seq == 1


async def test_nothing_comes_in_time():
    """Whoever waits in vain is told so."""
    left, _ = wires()
    with pytest.raises(TimeoutError):
        await left.receive(0.01)
