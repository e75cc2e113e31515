"""SEC-WS-2 to SEC-WS-12: frames as RFC 6455 has them, and frames that no client may send."""

from __future__ import annotations

from conformance.scenario import requires
from conformance.trial import Trial
from conformance.websocket.hostile import bystander, is_ended
from conformance.wire.frames import Opcode, close, frame
from conformance.wire.realtime import ANSWER, must, raw_of, socket_of
from harness.protocol.phoenix import encode, heartbeat

BEAT = encode(heartbeat("1"), "2.0.0").encode()
NO_UTF8 = b'[null,"1","phoenix","heart\xff\xfebeat",{}]'
CUT = "ö".encode()


@requires("SEC-WS-2")
async def test_sec_ws_2_unmasked(trial: Trial) -> None:
    """A frame without a mask ends the connection, and is not obeyed."""
    await _violation(trial, frame(BEAT, mask=None), "a heartbeat that is not masked")


@requires("SEC-WS-3")
async def test_sec_ws_3_reserved_bits(trial: Trial) -> None:
    """Each of the reserved bits ends the connection where no extension gives it a meaning."""
    for bits in (4, 2, 1):
        await _violation(trial, frame(BEAT, rsv=bits), f"a heartbeat with the reserved bits {bits:03b}")


@requires("SEC-WS-4")
async def test_sec_ws_4_reserved_opcodes(trial: Trial) -> None:
    """Opcodes that mean nothing, of data and of control frames, end the connection."""
    for opcode in (3, 7, 11, 15):
        await _violation(trial, frame(b"", opcode), f"a frame with the opcode {opcode}")


@requires("SEC-WS-5")
async def test_sec_ws_5_control_frames_in_pieces(trial: Trial) -> None:
    """A ping and a close that say that more is to come end the connection."""
    for opcode in (Opcode.PING, Opcode.CLOSE):
        await _violation(trial, frame(b"", opcode, fin=False), f"the first fragment of a {opcode.name.lower()}")


@requires("SEC-WS-6")
async def test_sec_ws_6_control_frames_that_are_too_long(trial: Trial) -> None:
    """A ping of 126 bytes ends the connection; one of 125 is answered."""
    async with raw_of(trial) as socket:
        await socket.send(frame(b"x" * 125, Opcode.PING), "a ping of 125 bytes")
        answered = await socket.until(lambda: socket.pongs, ANSWER)
        must(answered, trial, socket, sent="a ping of 125 bytes", came=f"no pong; {socket.end}")
    await _violation(trial, frame(b"x" * 126, Opcode.PING), "a ping of 126 bytes")


@requires("SEC-WS-7")
async def test_sec_ws_7_fragments_out_of_order(trial: Trial) -> None:
    """A continuation of nothing, and a message that starts inside of another, end the connection."""
    await _violation(trial, frame(BEAT, Opcode.CONTINUATION), "a continuation without a beginning")
    inside = frame(b"[null,", fin=False) + frame(BEAT)
    await _violation(trial, inside, "a message inside of another one's fragments")


@requires("SEC-WS-8")
async def test_sec_ws_8_text_that_is_no_utf8(trial: Trial) -> None:
    """Text that is no UTF-8 ends the connection, in one frame and in two; a character cut in two is read."""
    await _violation(trial, frame(NO_UTF8), "text that is no UTF-8", 1007)
    pieces = frame(NO_UTF8[:28], fin=False) + frame(NO_UTF8[28:], Opcode.CONTINUATION)
    await _violation(trial, pieces, "text in two frames that is no UTF-8", 1007)
    text = BEAT.replace(b"{}", b'{"x":"' + CUT + b'"}')
    at = text.index(CUT) + 1
    async with socket_of(trial) as socket:
        pieces = frame(text[:at], fin=False) + frame(text[at:], Opcode.CONTINUATION)
        await socket.send(pieces, "a heartbeat with a character that is cut in two")
        answered = await socket.reply("1")
        must(answered, trial, socket, sent="a character cut in two", came=f"no answer; {socket.end}")


@requires("SEC-WS-9")
async def test_sec_ws_9_messages_in_pieces(trial: Trial) -> None:
    """A message in many fragments, with a ping between them, is read as one; the ping is answered meanwhile."""
    async with socket_of(trial) as socket:
        await socket.send(frame(BEAT[:1], fin=False), "the first byte of a heartbeat")
        for byte in BEAT[1:-1]:
            await socket.drip(frame(bytes((byte,)), Opcode.CONTINUATION, fin=False))
        await socket.send(frame(b"now", Opcode.PING), "a ping between fragments")
        between = await socket.until(lambda: socket.pongs == [b"now"], ANSWER)
        must(between, trial, socket, sent="a ping between fragments", came=f"no pong; {socket.end}")
        await socket.send(frame(BEAT[-1:], Opcode.CONTINUATION), "the last byte of the heartbeat")
        reply = await socket.reply("1")
        must(reply, trial, socket, sent="a heartbeat in fragments", came=f"no answer; {socket.end}")


@requires("SEC-WS-10")
async def test_sec_ws_10_pings_are_answered(trial: Trial) -> None:
    """Each ping is answered by a pong with the same data."""
    async with raw_of(trial) as socket:
        for data in (b"", b"gurukul", bytes(range(125))):
            await socket.send(frame(data, Opcode.PING), f"a ping {data[:20]!r}")
            answered = await socket.until(lambda: len(socket.pongs) > 0, ANSWER)  # the next one that comes
            same = answered and socket.pongs.pop() == data
            must(same, trial, socket, sent=f"a ping {data[:20]!r}", came=f"no such pong; {socket.end}")


@requires("SEC-WS-11")
async def test_sec_ws_11_a_close_is_answered(trial: Trial) -> None:
    """A Close is answered by a Close, and then the connection ends; with a code, and with none."""
    for data, what in ((close(1000, "done"), "Close 1000"), (frame(b"", Opcode.CLOSE), "a Close without a code")):
        async with raw_of(trial, polite=False) as socket:
            await socket.send(data, what)
            await socket.over(ANSWER)
            must(socket.closed, trial, socket, sent=what, came=socket.end)
            await socket.until(lambda: False, ANSWER)  # until it ends
            must(socket.ended, trial, socket, sent=what, came="the connection stayed open")


@requires("SEC-WS-12")
async def test_sec_ws_12_a_close_that_says_nonsense(trial: Trial) -> None:
    """A Close with half a code, with a code that nobody may send, or with a reason that is no text ends it as well."""
    for data, what, code in (
        (frame(b"\x03", Opcode.CLOSE), "a Close with half a code", 1002),
        (close(1005), "Close 1005", 1002),
        (frame(b"\x03\xe8\xff", Opcode.CLOSE), "a Close whose reason is no UTF-8", 1007),
    ):
        await _violation(trial, data, what, code, 1002)


async def _violation(trial: Trial, data: bytes, what: str, *codes: int) -> None:
    """Sends it on a socket of its own, with somebody else beside it."""
    async with bystander(trial), raw_of(trial, polite=False) as socket:
        await is_ended(trial, socket, data, what, *(codes or (1002,)))
        obeyed = any(b"phx_reply" in one.payload for one in socket.messages)
        must(not obeyed, trial, socket, sent=what, came="it was obeyed before the connection ended")
