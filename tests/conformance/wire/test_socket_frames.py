"""Frames of the suite against another implementation: what is right is read, what is wrong is refused with its code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame as TheirFrame
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from conformance.wire.frames import FrameReader, Inflater, Opcode, close, deflated, frame, masked

MASKS = st.one_of(st.none(), st.binary(min_size=4, max_size=4))


def server() -> ServerProtocol:
    """A server of another hand whose handshake is over."""
    made = ServerProtocol(max_size=1000)
    made.state = OPEN
    made.parser = made.parse()
    next(made.parser)
    return made


@given(st.binary(max_size=300), st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.PING]), st.booleans(), MASKS)
def test_the_reader_reads_what_was_written(payload: bytes, opcode: Opcode, fin: bool, mask: bytes | None) -> None:
    """Byte by byte or at once, masked or not: payload, opcode and bits come back."""
    data = frame(payload, opcode, fin=fin, rsv=2, mask=mask)
    at_once, drops = FrameReader(), FrameReader()
    one = next(at_once.feed(data))
    assert [found for byte in data for found in drops.feed(bytes((byte,)))] == [one]
    assert (one.payload, one.opcode, one.fin, one.rsv, one.masked) == (payload, opcode, fin, 2, mask is not None)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_lengths_are_as_short_as_they_can_be(size: int) -> None:
    """A frame that another hand wrote is the very same, at each of the three forms of its length."""
    theirs = TheirFrame(Opcode.BINARY, bytes(size)).serialize(mask=False)
    assert frame(bytes(size), Opcode.BINARY, mask=None) == theirs


@given(st.binary(max_size=50), st.binary(min_size=4, max_size=4))
def test_masking_twice_is_nothing(payload: bytes, mask: bytes) -> None:
    """The mask is its own inverse, and works on each byte by its place."""
    assert masked(masked(payload, mask), mask) == payload
    assert masked(payload, mask) == bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(b"x", mask=None), 1002),
        (frame(b"x", rsv=4), 1002),
        (frame(b"x", rsv=1), 1002),
        (frame(b"x", 3), 1002),
        (frame(b"", Opcode.PING, fin=False), 1002),
        (frame(b"x" * 126, Opcode.PING), 1002),
        (frame(b"x", Opcode.CONTINUATION), 1002),
        (frame(b"x" * 1001), 1009),
        (frame(b"", length=2**62), 1009),
        (frame(b"\x03", Opcode.CLOSE), 1002),
        (close(1005), 1002),
    ],
)
def test_what_is_wrong_is_wrong(data: bytes, code: int) -> None:
    """A server of another hand ends the connection for each of our violations, and with the code that we wait for."""
    there = server()
    there.receive_data(data)
    sent = b"".join(there.data_to_send())
    found = next(FrameReader().feed(sent))
    assert (found.opcode, found.close_code) == (Opcode.CLOSE, code)


def test_what_is_right_is_right() -> None:
    """A text in two frames with a ping between them is read by a server of another hand."""
    there = server()
    there.receive_data(frame(b"he", fin=False) + frame(b"?", Opcode.PING) + frame(b"llo", Opcode.CONTINUATION))
    assert [bytes(one.data) for one in there.events_received()] == [b"he", b"?", b"llo"]  # type: ignore[union-attr]
    pong = next(FrameReader().feed(b"".join(there.data_to_send())))
    assert (pong.opcode, pong.payload) == (Opcode.PONG, b"?")


def test_a_bomb_is_small() -> None:
    """Eight megabytes of one letter travel as a few kilobytes, and come out whole."""
    packed = deflated(b"x" * 8_000_000)
    assert len(packed) < 10_000
    assert Inflater().message(packed) == b"x" * 8_000_000


def test_a_reader_that_was_given_half_a_frame_waits() -> None:
    """Nothing comes out before the frame is whole, whatever part of its head is missing."""
    data = frame(b"x" * 70_000)
    for cut in (0, 1, 2, 5, 9, 13, len(data) - 1):
        assert not list(FrameReader().feed(data[:cut]))
