"""RT-30 to RT-35: broadcasts, as text and as bytes, over the socket and over HTTP."""

from __future__ import annotations

from typing import Any

from conformance.outcome import Inconclusive
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.broadcasts import Told, binary_push, broadcast, read_told
from conformance.wire.frames import Opcode
from conformance.wire.realtime import BOTH, EVENT, Join, RealtimeSocket, must, socket_of
from harness.client.connections import Connections
from harness.client.dialect import CallBroke, CallRefused
from harness.client.http import call
from harness.protocol.phoenix import Frame

TOO_LARGE = 3_100_000
"""Bytes of a payload over the largest that any plan takes (PROTOCOL 1.6), in a message that a socket takes."""


@requires("RT-30")
async def test_rt_30_a_broadcast_reaches_the_others(trial: Trial) -> None:
    """Everybody else on the topic is told, in his own version; the sender is not, nor is another topic."""
    topic = await _topic(trial)
    async with (
        socket_of(trial) as sender,
        socket_of(trial, vsn=BOTH[0]) as old,
        socket_of(trial, vsn=BOTH[1]) as new,
        socket_of(trial) as elsewhere,
    ):
        join = await _join(sender, topic)
        await _join(old, topic)
        await _join(new, topic)
        await _join(elsewhere, f"{topic}-b")
        sent = broadcast("hello", {"n": 1, "who": ["a", None]})
        await sender.push(join.topic, "broadcast", sent, join.ref)
        for socket in (old, new):
            told = await _heard(socket, "hello")
            must(told, trial, sender, socket, sent="a broadcast", came=f"a listener in {socket.vsn} was not told")
            said = told.payload if told is not None else {}
            fits = sent.items() <= said.items() and told is not None and told.ref is None
            must(fits, trial, socket, sent=f"the broadcast {sent}", came=f"{told}")
        for silent, who in ((sender, "its sender, who did not ask for it"), (elsewhere, "another topic")):
            await silent.alive()
            must(not _all(silent, "hello"), trial, silent, sent="a broadcast", came=f"it was told to {who}")


@requires("RT-31")
async def test_rt_31_acknowledged_and_echoed(trial: Trial) -> None:
    """With `ack` a broadcast is answered ok, with `self` it comes back; without `ack` nothing answers."""
    topic = await _topic(trial)
    async with socket_of(trial) as socket:
        join = await _join(socket, topic, broadcast={"ack": True, "self": "true"})
        reply = await socket.reply(await socket.push(join.topic, "broadcast", broadcast("hello", {}), join.ref))
        answered = reply is not None and reply.payload == {"status": "ok", "response": {}}
        must(answered, trial, socket, sent="a broadcast with ack", came=f"the reply {reply}")
        must(await _heard(socket, "hello"), trial, socket, sent="a broadcast with self", came="it did not come back")
    async with socket_of(trial) as socket:
        join = await _join(socket, topic)
        ref = await socket.push(join.topic, "broadcast", broadcast("hello", {}), join.ref)
        await socket.alive()
        replied = any(one.ref == ref for one in socket.frames)
        must(not replied, trial, socket, sent="a broadcast without ack", came="a reply to it")


@requires("RT-32")
async def test_rt_32_binary_broadcasts(trial: Trial) -> None:
    """A binary push (kind 3) reaches others of 2.0.0 as a binary broadcast (kind 4): JSON and bytes, unchanged."""
    topic = await _topic(trial)
    async with socket_of(trial) as sender, socket_of(trial) as listener:
        join = await _join(sender, topic)
        await _join(listener, topic)
        for payload, json in ((b'{"sessionId": "s1"}', True), (bytes(range(256)), False)):
            await sender.binary(binary_push(join.ref, sender.next_ref(), join.topic, "match_found", payload, json=json))
            wanted = Told(join.topic, "match_found", payload, json)
            came = await _heard_binary(listener, wanted)
            must(came, trial, sender, listener, sent=f"the binary push {wanted}", came=f"{_binary(listener)}")


@requires("RT-33")
async def test_rt_33_binary_to_the_old_version(trial: Trial) -> None:
    """A listener of 1.0.0 gets a binary push of JSON as an object, and one of bytes not at all."""
    topic = await _topic(trial)
    async with socket_of(trial) as sender, socket_of(trial, vsn=BOTH[0]) as old:
        join = await _join(sender, topic)
        await _join(old, topic)
        for event, payload, json in (("bytes", b"\x00\xff", False), ("json", b'{"a": 1}', True)):
            await sender.binary(binary_push(join.ref, sender.next_ref(), join.topic, event, payload, json=json))
        told = await _heard(old, "json")
        fits = told is not None and told.payload == broadcast("json", {"a": 1})
        must(fits, trial, sender, old, sent="a binary push of JSON", came=f"the frame {told} in 1.0.0")
        others = [*_all(old, "bytes"), *_binary(old)]
        must(not others, trial, sender, old, sent="a binary push of bytes", came=f"{others} in 1.0.0")


@requires("RT-34")
async def test_rt_34_broadcasts_over_http(trial: Trial) -> None:
    """A POST is answered 202 and told to all on the topic, as text, in both versions."""
    topic = await _topic(trial)
    async with socket_of(trial, vsn=BOTH[0]) as old, socket_of(trial, vsn=BOTH[1]) as new:
        await _join(old, topic)
        await _join(new, topic)
        message = {"topic": topic, "event": "match_found", "payload": {"sessionId": "s1"}, "private": False}
        status = await _post(trial, {"messages": [message]})
        must(status == 202, trial, sent="POST /realtime/v1/api/broadcast", came=f"the answer {status}")
        wanted = broadcast("match_found", {"sessionId": "s1"})
        for socket in (old, new):
            told = await _heard(socket, "match_found")
            fits = told is not None and wanted.items() <= told.payload.items()
            must(fits, trial, socket, sent=f"the message {message} over HTTP", came=f"{told} in {socket.vsn}")


@requires("RT-35")
async def test_rt_35_a_broadcast_that_is_too_large(trial: Trial) -> None:
    """With `ack` a payload over the plan's limit is answered with an error, nobody is told, and the socket goes on."""
    topic = await _topic(trial)
    async with socket_of(trial) as sender, socket_of(trial) as listener:
        join = await _join(sender, topic, broadcast={"ack": True, "self": False})
        await _join(listener, topic)
        ref = await sender.push(join.topic, "broadcast", broadcast("huge", {"x": "x" * TOO_LARGE}), join.ref)
        reply = await sender.reply(ref)
        refused = reply is not None and reply.payload.get("status") == "error"
        must(
            refused,
            trial,
            sender,
            sent=f"a payload of {TOO_LARGE} bytes with ack",
            came=f"the reply {reply}; {sender.end}",
        )
        await sender.push(join.topic, "broadcast", broadcast("small", {}), join.ref)
        must(
            await _heard(listener, "small"), trial, sender, listener, sent="a small broadcast after it", came="nothing"
        )
        must(
            not _all(listener, "huge"),
            trial,
            listener,
            sent="a payload that was refused",
            came="it was told all the same",
        )


async def _topic(trial: Trial) -> str:
    """A topic that nobody else uses: a new user's id is in it."""
    return f"{trial.requirement.id.lower()}:{(await trial.enter()).user}"


async def _join(socket: RealtimeSocket, topic: str, **config: Any) -> Join:
    join = await socket.join(topic, **config)
    if not join.ok:
        raise Inconclusive(f"a public channel could not be joined: {join.reason}")
    return join


def _all(socket: RealtimeSocket, event: str) -> list[Frame]:
    return [one for one in socket.frames if one.event == "broadcast" and one.payload.get("event") == event]


async def _heard(socket: RealtimeSocket, event: str) -> Frame | None:
    await socket.until(lambda: _all(socket, event), EVENT)
    return next(iter(_all(socket, event)), None)


def _binary(socket: RealtimeSocket) -> list[Told | None]:
    return [read_told(one.payload) for one in socket.messages if one.opcode == Opcode.BINARY]


async def _heard_binary(socket: RealtimeSocket, wanted: Told) -> bool:
    return await socket.until(lambda: wanted in _binary(socket), EVENT)


async def _post(trial: Trial, body: dict[str, Any]) -> int:
    key = trial.target.anon_key
    url = f"{trial.target.supabase_url}/realtime/v1/api/broadcast"
    headers = {"apikey": key, "Authorization": f"Bearer {key}"}
    async with Connections(EVENT) as connections:
        try:
            return (await call(connections, "POST", url, headers, body)).status
        except CallRefused as refused:
            return refused.status
        except CallBroke as broke:
            raise Inconclusive(f"a broadcast over HTTP had no answer ({broke.detail})") from broke
