"""How many sockets, channels and messages a plan of the provider lets in, as our server enforces it."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from harness.cli.claims.claim import Place
from harness.errors import Trouble
from harness.protocol.channel import Channel
from harness.protocol.phoenix import Frame, decode, encode
from harness.target import Target

VSN = "1.0.0"
_AT_ONCE = 50
MORE = 10
"""Sockets that are tried beyond a plan's ceiling."""
CEILINGS = {"free": 200, "pro": 500, "team": 10_000}
CHANNELS = 100
GENTLE_PER_S, FLOOD_PER_S = 50, 400
_GENTLE_SECONDS, _FLOOD_SECONDS = 6.0, 20.0
_FILES = 12_000
_SOON = 0.1
"""Seconds after which a refusal is told; the provider takes longer."""


@dataclass(frozen=True)
class SocketFacts:
    """What was tried and let in; `team` is None in the quick form, and on hardened, whose sockets are the same."""

    free: int
    pro: int
    team: int | None
    channels: int
    """Channels of one socket that were let in, on the free plan."""
    gentle_sent: int
    gentle_heard: int
    flood_cut: bool
    """Whether a channel that is flooded is cut off, on the free plan."""


async def sockets(place: Place) -> SocketFacts:
    """Opens more sockets and channels than the plans allow, and sends more messages."""
    async with place.deployed("free", plan="free", join_error_delay=_SOON, refusal_delay=_SOON) as deployed:
        free = await _admitted(deployed.target, CEILINGS["free"] + MORE)
        channels = await _channels(deployed.target)
        sent, heard = await _gentle(deployed.target)
        cut = await _flooded(deployed.target)
    async with place.deployed("pro", plan="pro", join_error_delay=_SOON, refusal_delay=_SOON) as deployed:
        pro = await _admitted(deployed.target, CEILINGS["pro"] + MORE)
    team = await _team(place) if place.engine == "documented" and not place.quick else None
    return SocketFacts(free, pro, team, channels, sent, heard, cut)


async def _team(place: Place) -> int:
    """Ten thousand sockets, where this machine may open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _FILES:
        raise Trouble(f"a process here may open {hard} files, and {_FILES} are needed", "raise ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, _FILES), hard))
    async with place.deployed("team", plan="team", join_error_delay=_SOON, refusal_delay=_SOON) as deployed:
        return await _admitted(deployed.target, CEILINGS["team"] + MORE)


@asynccontextmanager
async def _socket(target: Target) -> AsyncIterator[ClientConnection]:
    url = f"{target.realtime_url}?apikey={quote(target.anon_key)}&vsn={VSN}"
    async with connect(url, compression=None, ping_interval=None, open_timeout=30, close_timeout=1) as wire:
        yield wire


async def _joined(wire: ClientConnection, target: Target, topic: str) -> bool:
    """Joins a channel without database changes; whether it is let in."""
    channel = Channel(topic, ())
    await wire.send(encode(channel.join("1", target.anon_key), "1.0.0"))
    while True:
        frame = decode(await wire.recv(), "1.0.0")
        if frame.topic == channel.topic and frame.event == "phx_reply":
            return bool(frame.payload.get("status") == "ok")


async def _admitted(target: Target, count: int) -> int:
    """Opens so many sockets, keeps them open, and counts those whose first channel was let in."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async with AsyncExitStack() as stack:

        async def one(number: int) -> bool:
            async with gate:
                try:
                    wire = await stack.enter_async_context(_socket(target))
                    return await _joined(wire, target, f"claims-{number}")
                except (InvalidStatus, ConnectionClosed):
                    return False
                except (OSError, TimeoutError) as error:
                    raise Trouble(f"this machine did not open socket {number + 1} ({error!r})") from None

        return sum(await asyncio.gather(*(one(number) for number in range(count))))


async def _channels(target: Target) -> int:
    async with _socket(target) as wire:
        return sum([await _joined(wire, target, f"many-{number}") for number in range(CHANNELS + 5)])


def _broadcast(topic: str, number: int) -> str:
    payload = {"type": "broadcast", "event": "tick", "payload": {"number": number}}
    return encode(Frame(f"realtime:{topic}", "broadcast", payload, None), "1.0.0")


async def _gentle(target: Target) -> tuple[int, int]:
    """Broadcasts on one channel at a pace between the document's limit of a channel and its limit of a plan."""
    async with _socket(target) as speaker, _socket(target) as listener:
        for wire in (speaker, listener):
            await _joined(wire, target, "gentle")
        count = round(GENTLE_PER_S * _GENTLE_SECONDS)
        hearing = asyncio.create_task(_heard(listener, count))
        await _paced(speaker, "gentle", GENTLE_PER_S, count)
        return count, await hearing


async def _flooded(target: Target) -> bool:
    """Broadcasts far over the plan's rate, to one listener; whether speaker or listener is cut off."""
    async with _socket(target) as speaker, _socket(target) as listener:
        for wire in (speaker, listener):
            await _joined(wire, target, "flood")
        cuts = [asyncio.create_task(_cut(wire)) for wire in (speaker, listener)]
        speaking = asyncio.create_task(_paced(speaker, "flood", FLOOD_PER_S, round(FLOOD_PER_S * _FLOOD_SECONDS)))
        done, _ = await asyncio.wait([*cuts, speaking], return_when=asyncio.FIRST_COMPLETED)
        for task in (*cuts, speaking):
            task.cancel()
        await asyncio.gather(*cuts, speaking, return_exceptions=True)
        return bool(done & set(cuts)) or isinstance(
            speaking.exception() if speaking in done else None, ConnectionClosed
        )


async def _paced(wire: ClientConnection, topic: str, per_s: float, count: int) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(count):
        await asyncio.sleep(began + number / per_s - loop.time())
        await wire.send(_broadcast(topic, number))


async def _heard(wire: ClientConnection, count: int) -> int:
    """Broadcasts that come, until all have, or none comes for a while."""
    heard = 0
    try:
        while heard < count:
            async with asyncio.timeout(2.0 + _GENTLE_SECONDS):
                heard += decode(await wire.recv(), "1.0.0").event == "broadcast"
    except (TimeoutError, ConnectionClosed):
        return heard
    return heard


async def _cut(wire: ClientConnection) -> bool:
    """Waits until the channel or the socket is closed."""
    try:
        while decode(await wire.recv(), "1.0.0").event not in {"phx_close", "phx_error"}:
            continue
    except ConnectionClosed:
        return True
    return True
