"""SEC-WS-13 to SEC-WS-19: messages that are too large, that lie about their size, or that ask for too much."""

from __future__ import annotations

from contextlib import suppress

from conformance.scenario import requires
from conformance.trial import Trial
from conformance.websocket.hostile import LIMIT, bystander, is_ended, served_while
from conformance.wire.frames import Opcode, deflated, frame
from conformance.wire.realtime import ANSWER, RealtimeSocket, must, raw_of, socket_of
from conformance.wire.socket import SocketLost

PIECE = 100_000
BOMB = 8 * LIMIT
BINDINGS = 10_000
HUGE = 1_000_000
OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate"}


@requires("SEC-WS-13")
async def test_sec_ws_13_a_message_over_the_limit(trial: Trial) -> None:
    """A message of one byte over the limit ends the connection with 1009; one of the limit itself is read."""
    async with bystander(trial):
        async with raw_of(trial, polite=False) as hostile:
            await is_ended(trial, hostile, frame(bytes(LIMIT + 1)), f"a message of {LIMIT + 1} bytes", 1009)
        async with socket_of(trial) as socket:
            await _takes(trial, socket, frame(_heartbeat(LIMIT)), f"a heartbeat of {LIMIT} bytes")


@requires("SEC-WS-14")
async def test_sec_ws_14_fragments_over_the_limit(trial: Trial) -> None:
    """Fragments that are too large only together end the connection with 1009 as well."""
    pieces = [frame(bytes(PIECE), fin=False)]
    pieces += [frame(bytes(PIECE), Opcode.CONTINUATION, fin=False)] * (LIMIT // PIECE)
    async with bystander(trial), raw_of(trial, polite=False) as socket:
        what = f"{len(pieces)} fragments of {PIECE} bytes"
        await is_ended(trial, socket, b"".join(pieces), what, 1009)


@requires("SEC-WS-15")
async def test_sec_ws_15_a_promise_of_exabytes(trial: Trial) -> None:
    """A frame that promises 2^62 bytes ends the connection at once: nothing is waited for, nothing is set aside."""
    async with bystander(trial), raw_of(trial, polite=False) as socket:
        await is_ended(trial, socket, frame(b"x" * 1000, length=2**62), "a frame that promises 2^62 bytes", 1009, 1002)


@requires("SEC-WS-16")
async def test_sec_ws_16_a_length_with_its_highest_bit(trial: Trial) -> None:
    """A length of 64 bits whose highest bit is set ends the connection."""
    async with bystander(trial), raw_of(trial, polite=False) as socket:
        await is_ended(trial, socket, frame(b"", length=2**63 + 5), "a length of 2^63 + 5", 1009, 1002)


@requires("SEC-WS-17")
async def test_sec_ws_17_compressed_messages(trial: Trial) -> None:
    """Where compression was agreed on, the limit holds for what comes out: at the limit it is read, one and two bytes
    over it ends the connection, and so does a bomb. Where it was not, a compressed frame ends the connection.
    """
    async with bystander(trial), socket_of(trial, headers=OFFER) as socket:
        agreed = "permessage-deflate" in socket.handshake.headers.get("sec-websocket-extensions", "")
        if not agreed:
            packed = frame(deflated(_heartbeat(200)), rsv=4)
            await is_ended(trial, socket, packed, "a compressed frame, which was not agreed on", 1002)
            return
        packed = frame(deflated(_heartbeat(LIMIT)), rsv=4)
        await _takes(trial, socket, packed, f"a compressed heartbeat of {LIMIT} bytes")
    for size in (LIMIT + 1, LIMIT + 2, BOMB):
        async with bystander(trial), raw_of(trial, headers=OFFER, polite=False) as bomb:
            packed = frame(deflated(_heartbeat(size)), rsv=4)
            await is_ended(trial, bomb, packed, f"{len(packed)} bytes that become {size}", 1009)


@requires("SEC-WS-18")
async def test_sec_ws_18_ten_thousand_bindings(trial: Trial) -> None:
    """A join with ten thousand bindings is answered, or ends the connection; nobody else waits for it."""
    binding = {"event": "*", "schema": "public", "table": "messages"}
    bindings = [{**binding, "filter": f"content=eq.{number}"} for number in range(BINDINGS)]
    async with bystander(trial) as other, socket_of(trial) as socket:
        with suppress(SocketLost):
            ref = await socket.ask_to_join("many-bindings", bindings)
            reply = await served_while(trial, other, socket.reply(ref))
            what = f"a join with {BINDINGS} bindings"
            must(reply or socket.ended, trial, socket, sent=what, came=f"no answer within {ANSWER:.0f} s")


@requires("SEC-WS-19")
async def test_sec_ws_19_huge_names(trial: Trial) -> None:
    """A topic, an event and a ref of a million characters are answered or dropped; nobody else notices."""
    huge = "x" * HUGE
    names = ((f"realtime:{huge}", "phx_join", "1"), ("realtime:a", huge, "1"), ("phoenix", "heartbeat", huge))
    async with bystander(trial) as other:
        for topic, event, ref in names:
            async with socket_of(trial) as socket:
                with suppress(SocketLost):
                    await socket.text(f'[null,"{ref}","{topic}","{event}",{{}}]')
                    went_on = await served_while(trial, other, socket.alive()) or socket.ended
                    must(went_on, trial, socket, sent="a name of a million characters", came="the socket hangs")


async def _takes(trial: Trial, socket: RealtimeSocket, data: bytes, what: str) -> None:
    """A message that must be read."""
    with suppress(SocketLost):
        await socket.send(data, what)
    reply = await socket.reply("1")
    must(reply, trial, socket, sent=what, came=f"no answer within {ANSWER:.0f} s; {socket.end}")


def _heartbeat(size: int) -> bytes:
    """A heartbeat in 2.0.0 of exactly so many bytes, with the ref 1."""
    head, tail = b'[null,"1","phoenix","heartbeat",{"x":"', b'"}]'
    return head + b"x" * (size - len(head) - len(tail)) + tail
