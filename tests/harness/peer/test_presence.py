"""Pairs that stay connected: beats, outages, new connections, and the ways to leave."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.network.loopback import Loopback
from harness.peer.peer import Peer, PeerState
from harness.peer.presence import End, Mended, Noticed, Rules, Stay, stay
from harness.peer.stage import Role, Stage
from tests.harness.peer.wire import Pair, connected

HASTY = Rules(interval=0.05, grace=0.2, deadline=5.0)


class Hole:
    """A transport that swallows what is sent, while `open`."""

    def __init__(self, transport: Any) -> None:
        self.transport, self.open = transport, True

    def sendto(self, *arguments: Any) -> None:
        if not self.open:
            self.transport.sendto(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)


def blackholed(peer: Peer) -> list[Hole]:
    """Nothing that this peer sends arrives any more, until the holes are shut."""
    protocols = peer.attempt.connection._ice()._protocols
    for protocol in protocols:
        protocol.transport = Hole(protocol.transport)
    return [protocol.transport for protocol in protocols]


def beaten(peer: Peer, count: int) -> asyncio.Event:
    """Is set when so many beats of this peer have been answered. Ask before it stays."""
    enough, heard = asyncio.Event(), peer.attempt.answered

    def answered(message: str | bytes) -> None:
        heard(message)
        if peer.heartbeat.answered >= count:
            enough.set()

    peer.attempt.answered = answered
    return enough


class Watched:
    """Waits for the states of a peer."""

    def __init__(self, peer: Peer) -> None:
        self.states: list[PeerState] = []
        self._news = asyncio.Condition()
        peer.changed = self._changed

    def _changed(self, state: PeerState) -> None:
        self.states.append(state)
        self._told = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def saw(self, *states: PeerState) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: self.states[-len(states) :] == list(states))


def staying(pair: Pair, until: asyncio.Event, rules: Rules = HASTY) -> list[asyncio.Task[Stay]]:
    return [
        asyncio.create_task(stay(peer, wire, until, rules)) for peer, wire in zip(pair.peers, pair.wires, strict=True)
    ]


async def test_beats_measure_the_round_trip_and_disturb_nothing():
    """A quiet stay ends when the caller says so, without an outage, with a round trip from beats on both sides."""
    until = asyncio.Event()
    async with connected() as pair, asyncio.timeout(10):
        answered = [beaten(peer, 3) for peer in pair.peers]
        stays = staying(pair, until)
        for enough in answered:
            await enough.wait()
        until.set()
        for one in await asyncio.gather(*stays):
            assert one == Stay(End.TIME)
        for peer in pair.peers:
            assert 0 < peer.quality().rtt < 1
            assert peer.state is PeerState.CONNECTED


async def test_a_short_blackhole_heals_by_itself():
    """Three beats without an answer make a peer `disconnected`; when the path is back it is `connected` again."""
    until = asyncio.Event()
    async with connected() as pair:
        watched = [Watched(peer) for peer in pair.peers]
        stays = staying(pair, until, Rules(interval=0.05, grace=10))
        holes = blackholed(pair.peers[0])
        await asyncio.gather(*(one.saw(PeerState.DISCONNECTED) for one in watched))
        for hole in holes:
            hole.open = False
        await asyncio.gather(*(one.saw(PeerState.DISCONNECTED, PeerState.CONNECTED) for one in watched))
        until.set()
        for one in await asyncio.gather(*stays):
            assert [(outage.noticed, outage.mended) for outage in one.outages] == [(Noticed.HEARTBEAT, Mended.ITSELF)]
            assert one.renegotiated == []


async def test_a_lasting_blackhole_is_renegotiated():
    """When the path does not come back, the offerer offers a new peer connection, counted as the second attempt."""
    until = asyncio.Event()
    async with connected() as pair:
        watched = [Watched(peer) for peer in pair.peers]
        stays = staying(pair, until)
        blackholed(pair.peers[1])
        await asyncio.gather(*(one.saw(PeerState.CONNECTING, PeerState.CONNECTED) for one in watched))
        until.set()
        for one in await asyncio.gather(*stays):
            assert [outage.mended for outage in one.outages] == [Mended.RENEGOTIATED]
            (again,) = one.renegotiated
            assert (again.stage, again.attempt) == (Stage.CONNECTED, 2)
        assert [signal.body.get("attempt") for signal in pair.wires[0].sent if signal.kind == "offer"] == [None, 2]


async def test_a_graceful_leave_is_told():
    """Whoever leaves says `call-ended`; the other side is told, and does not try to reconnect."""
    async with connected() as pair:
        one, other = staying(pair, asyncio.Event())
        await pair.peers[0].leave(pair.wires[0])
        assert pair.wires[0].sent[-1].kind == "call-ended"
        assert [seen.end for seen in await asyncio.gather(one, other)] == [End.TOLD] * 2
        assert [signal.kind for signal in pair.wires[1].sent].count("answer") == 1


@pytest.mark.parametrize("leaver", [0, 1])
async def test_a_peer_that_vanishes_is_missed(leaver):
    """A killed process says nothing: its partner notices by the heartbeat, tries again, and gives up."""
    async with connected() as pair:
        left = stay(pair.peers[1 - leaver], pair.wires[1 - leaver], asyncio.Event(), Rules(0.05, 0.1, 1, 0.5))
        await pair.peers[leaver].vanish()
        seen = await asyncio.wait_for(left, 10)
        assert seen.end is End.LOST
        assert [(outage.noticed, outage.mended) for outage in seen.outages] == [(Noticed.HEARTBEAT, Mended.NOT)]
        assert pair.peers[1 - leaver].state is not PeerState.CONNECTED


async def test_a_closed_connection_is_noticed_at_once():
    """A close is seen by its DTLS alert, long before a heartbeat is missed."""
    async with connected() as pair:
        left = stay(pair.peers[1], pair.wires[1], asyncio.Event(), Rules(60, 0.1, 0))
        await pair.peers[0].close()
        seen = await asyncio.wait_for(left, 10)
        assert [outage.noticed for outage in seen.outages] == [Noticed.CLOSED]


async def test_who_comes_back_is_taken_in_again():
    """A partner whose process was killed and who comes back answers the offer of the second attempt."""
    until = asyncio.Event()
    async with connected() as pair:
        await pair.peers[1].vanish()
        watched = Watched(pair.peers[0])
        left = asyncio.create_task(stay(pair.peers[0], pair.wires[0], until, HASTY))
        async with Peer(Role.ANSWERER, Loopback()) as back:
            result = await back.connect(pair.wires[1], 10.0)
            assert (result.stage, result.attempt) == (Stage.CONNECTED, 2)
            await watched.saw(PeerState.CONNECTING, PeerState.CONNECTED)
            until.set()
            seen = await left
        assert [outage.mended for outage in seen.outages] == [Mended.RENEGOTIATED]


async def test_the_end_in_the_database_ends_a_stay():
    """The session's row says that it is over: that is enough."""
    async with connected() as pair:
        one = asyncio.create_task(stay(pair.peers[0], pair.wires[0], asyncio.Event(), HASTY))
        pair.wires[0].ended.set()
        assert (await asyncio.wait_for(one, 10)).end is End.TOLD
        assert pair.peers[0].result().stage is Stage.CONNECTED
