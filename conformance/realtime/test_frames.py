"""RT-5 to RT-8: the two forms of frames, heartbeats, and frames that cannot be read."""

from __future__ import annotations

from typing import Any

import orjson

from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.realtime import ANSWER, BOTH, RealtimeSocket, must, socket_of
from harness.protocol.phoenix import Frame, Vsn, encode

V1_KEYS = {"topic", "event", "payload", "ref"}
UNREADABLE = ("", "x", "[]", "{}", "null", "[1,2,3]", '{"topic":1}', "[null,null,1,2,{}]", "\x00", "[" * 400)
UNREADABLE_BYTES = (b"", b"\x03", b"\x03\xff\xff\xff\xff\xff\x01", b"\x09" * 40)


@requires("RT-5")
async def test_rt_5_frames_of_version_1(trial: Trial) -> None:
    """Every frame of the server is an object of exactly four keys."""
    socket, said = await _talk(trial, "1.0.0")
    odd = [one for one in said if not isinstance(one, dict) or set(one) != V1_KEYS]
    must(said and not odd, trial, socket, sent="frames of 1.0.0", came=f"the frames {odd[:2]}")


@requires("RT-6")
async def test_rt_6_frames_of_version_2(trial: Trial) -> None:
    """Every frame of the server is an array of five; a reply repeats the join_ref and the ref of its push."""
    socket, said = await _talk(trial, "2.0.0")
    odd = [one for one in said if not isinstance(one, list) or len(one) != 5]
    must(said and not odd, trial, socket, sent="frames of 2.0.0", came=f"the frames {odd[:2]}")
    refs = [one[0] for one in said if one[2:4] == ["realtime:talk", "phx_reply"]]
    joined = next((one[1] for one in said if one[2:4] == ["realtime:talk", "phx_reply"]), None)
    must(
        refs == [joined] * 2, trial, socket, sent=f"a join with the ref {joined}, and a leave", came=f"join_refs {refs}"
    )


@requires("RT-7")
async def test_rt_7_heartbeats(trial: Trial) -> None:
    """A heartbeat on `phoenix` is answered with its own ref, also where that is null, in both versions."""
    for vsn in BOTH:
        async with socket_of(trial, vsn=vsn) as socket:
            reply = await socket.reply(await socket.beat("beat-1"))
            right = reply is not None and (reply.topic, reply.payload) == ("phoenix", {"status": "ok", "response": {}})
            must(right, trial, socket, sent=f"a heartbeat in {vsn}", came=f"the reply {reply}")
            await socket.text(encode(Frame("phoenix", "heartbeat", {}), vsn))
            reply = await socket.reply(None)
            must(
                reply, trial, socket, sent=f"a heartbeat in {vsn} whose ref is null", came="no reply whose ref is null"
            )


@requires("RT-8")
async def test_rt_8_unreadable_frames_are_dropped(trial: Trial) -> None:
    """What is no frame at all is dropped, text and bytes, and the socket goes on."""
    for vsn in BOTH:
        async with socket_of(trial, vsn=vsn) as socket:
            for text in UNREADABLE:
                await socket.text(text)
            for data in UNREADABLE_BYTES:
                await socket.binary(data)
            answered = await socket.alive()
            must(answered, trial, socket, sent=f"what is no frame of {vsn}, then a heartbeat", came=_silence(socket))


async def _talk(trial: Trial, vsn: Vsn) -> tuple[RealtimeSocket, list[Any]]:
    """A heartbeat, a join, a push to nowhere and a leave; all that was answered, as JSON."""
    async with socket_of(trial, vsn=vsn) as socket:
        await socket.alive()
        join = await socket.join("talk", presence={"key": "", "enabled": True})
        await socket.reply(await socket.push("realtime:nowhere", "broadcast", {}))
        await socket.reply(await socket.push(join.topic, "phx_leave", {}, join.ref))
    return socket, [orjson.loads(one.payload) for one in socket.messages]


def _silence(socket: RealtimeSocket) -> str:
    return f"no answer within {ANSWER:.0f} s; {socket.end}"
