"""Pairs of bare aiortc peers: one sends a message to the other, or both give up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import aioice.stun
import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCPeerConnection

from harness.network.nat import NatKind, Turn
from harness.network.netns.lab import KernelLab
from harness.network.netns.place import KernelPlace

PATIENCE = 100.0
"""Seconds that a pair has, more than it takes aiortc to give up."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a pair, and by what candidates the offerer's side of the path goes (`host->srflx`)."""

    one: str
    other: str
    turn: Turn
    connected: bool
    path: str


def be_brief(patch: pytest.MonkeyPatch) -> None:
    """Makes checks that nobody answers fail after 15.5 s and not after a minute (RFC 8489 section 6.2.1)."""
    patch.setattr(aioice.stun, "RETRY_MAX", 4)


async def tried(lab: KernelLab, one: NatKind, other: NatKind, turn: Turn) -> Attempt:
    """Has two fresh places behind NATs of these kinds try to connect."""
    with lab.place(one, turn) as here, lab.place(other, turn) as there:
        return Attempt(one.name, other.name, turn, *await connected(here, there))


async def all_tried(lab: KernelLab, cases: Iterable[tuple[NatKind, NatKind, Turn]], at_once: int) -> list[Attempt]:
    """Tries many pairs, so many at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one_of_them(one: NatKind, other: NatKind, turn: Turn) -> Attempt:
        async with gate:
            return await tried(lab, one, other, turn)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one_of_them(*case)) for case in cases]
    return [task.result() for task in tasks]


async def connected(here: KernelPlace, there: KernelPlace) -> tuple[bool, str]:
    """Whether a message went from one place to the other, and by what candidates."""
    offerer, answerer = bare_peer(here), bare_peer(there)
    over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def end(came: bool) -> None:
        if not over.done():
            over.set_result(came)

    channel = offerer.createDataChannel("proof")
    channel.on("open", lambda: channel.send("hello"))
    answerer.on("datachannel", lambda theirs: theirs.on("message", lambda text: end(text == "hello")))
    for peer in (offerer, answerer):
        peer.on("connectionstatechange", lambda peer=peer: end(False) if peer.connectionState == "failed" else None)
    try:
        await negotiated(offerer, here, answerer, there)
        async with asyncio.timeout(PATIENCE):
            came = await over
        return came, path_of(offerer)
    finally:
        await asyncio.gather(offerer.close(), answerer.close())


def bare_peer(place: KernelPlace) -> RTCPeerConnection:
    """An RTCPeerConnection as aiortc makes it, with the servers of that place."""
    servers = [RTCIceServer(**server) for server in place.ice_servers]
    return RTCPeerConnection(RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


async def negotiated(
    offerer: RTCPeerConnection, here: KernelPlace, answerer: RTCPeerConnection, there: KernelPlace
) -> None:
    """Offer and answer, each made and taken where its peer lives."""
    with here.attached():
        await offerer.setLocalDescription()
    with there.attached():
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription()
    with here.attached():
        await offerer.setRemoteDescription(answerer.localDescription)


def path_of(peer: RTCPeerConnection) -> str:
    """The types of the selected candidates, ours first; aiortc tells them nowhere in public."""
    nominated = peer.sctp.transport.transport._connection._nominated.get(1)
    return f"{nominated.local_candidate.type}->{nominated.remote_candidate.type}" if nominated else ""
