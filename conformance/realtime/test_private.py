"""RT-40 and RT-41: private channels, and how many channels one connection may have."""

from __future__ import annotations

from conformance.outcome import Inconclusive, NotOffered
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.broadcasts import broadcast
from conformance.wire.realtime import must, socket_of

CHANNELS = 100
"""What every plan allows one connection (PROTOCOL 1.8), and the document's own cap."""


@requires("RT-40")
async def test_rt_40_a_private_channel_is_for_those_who_may(trial: Trial) -> None:
    """Who has no permission is refused by name of the topic, and hears nothing of what is told there."""
    account = await trial.shared("realtime")
    name = f"secret:{account.user}"
    async with socket_of(trial, account) as stranger, socket_of(trial, account) as public:
        join = await stranger.join(name, private=True)
        reason = f"Unauthorized: You do not have permissions to read from this Channel topic: {name}"
        refused = not join.ok and join.reason == reason
        must(refused, trial, stranger, sent="a join of a private channel", came=f"the reply {join.reply.payload}")
        open_one = await public.join(name, broadcast={"ack": True, "self": False})
        if not open_one.ok:
            raise Inconclusive(f"the public channel of that name could not be joined: {open_one.reason}")
        ref = await public.push(open_one.topic, "broadcast", broadcast("hello", {}), open_one.ref)
        await public.reply(ref)
        await stranger.alive()
        told = any(one.event == "broadcast" for one in stranger.frames)
        must(not told, trial, stranger, sent="a broadcast after a refused join", came="it was told to who was refused")


@requires("RT-41")
async def test_rt_41_channels_of_a_connection(trial: Trial) -> None:
    """A hundred channels are joined; the next is refused by name of the limit, and those that stand go on."""
    if trial.target.capabilities.plan == "none":
        raise NotOffered("the target file names no plan (capabilities.plan), so no ceiling is promised")
    async with socket_of(trial) as socket:
        refs = [await socket.ask_to_join(f"many:{number}") for number in range(CHANNELS)]
        for ref in refs:
            reply = await socket.reply(ref)
            right = reply is not None and reply.payload.get("status") == "ok"
            must(right, trial, socket, sent=f"{CHANNELS} joins", came=f"the reply {reply}")
        over = await socket.join("many:one-too-many")
        refused = not over.ok and over.reason == "ChannelRateLimitReached: Too many channels"
        must(refused, trial, socket, sent=f"join number {CHANNELS + 1}", came=f"the reply {over.reply.payload}")
        must(await socket.alive(), trial, socket, sent="a heartbeat after it", came=f"no answer; {socket.end}")
