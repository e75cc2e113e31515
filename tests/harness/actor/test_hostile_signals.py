"""Hostile signals through a real server: each attack ends in its named stage, and the pairs beside it all connect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.client.participant import Participant, Transport
from harness.client.signalling import SignalChannel
from harness.history.op import Op
from harness.history.recorder import Recorder
from harness.lab.server import running_server
from harness.network.loopback import Loopback
from harness.peer.peer import PeerResult, connect_peer
from harness.peer.ports import SignalPort
from harness.peer.result import pair_result
from harness.peer.stage import Role, Stage
from harness.protocol.changes import SessionSeen
from harness.target import Budgets, Target
from tests.harness.peer.bending import Bend, forged, huge, misled, nonsense, strange, without
from tests.harness.peer.wire import Signal

HEALTHY = 4
PATIENCE = 30.0
SHORT = 6.0
"""A deadline for attempts of which one side can only end by it."""


@dataclass
class Bent:
    """A channel of one who bends what he sends."""

    channel: SignalChannel
    bend: Bend

    @property
    def ended(self) -> asyncio.Event:
        return self.channel.ended

    async def send(self, kind: str, /, **body: Any) -> bool:
        sent = [await self.channel.send(bent.kind, **bent.body) for bent in self.bend(Signal(kind, body))]
        return all(sent)

    async def receive(self, timeout: float | None = None) -> Any:
        return await self.channel.receive(timeout)


@dataclass
class Misdirected(Bent):
    """A channel of one whose signals go to another's session."""

    elsewhere: SignalChannel

    async def send(self, kind: str, /, **body: Any) -> bool:
        return await self.elsewhere.send(kind, **body)


@dataclass
class Met:
    """Two users in a session, the offerer first, each with his open channel."""

    session: SessionSeen
    members: tuple[Participant, Participant]

    @property
    def channels(self) -> tuple[SignalChannel, SignalChannel]:
        one, other = (member.signalling(self.session) for member in self.members)
        return one, other


@pytest.fixture
async def target(database_url: str, tmp_path: Path) -> AsyncIterator[Target]:
    """The hardened engine on a fresh database."""
    async with running_server("hardened", database_url, tmp_path / "server.log") as server:
        yield Target(
            name="hardened", api_url=server.api_url, supabase_url=server.supabase_url, anon_key=server.anon_key,
            budgets=Budgets(poll_interval=0.2),
        )  # fmt: skip


@asynccontextmanager
async def meetings(target: Target, count: int, ops: list[Op]) -> AsyncIterator[list[Met]]:
    """So many pairs, matched by the target one after the other."""
    recorder = Recorder(SimpleNamespace(append=ops.append))
    everybody: list[Participant] = []
    async with Transport(target) as transport:
        try:
            for _ in range(2 * count):
                everybody.append(await Participant.enter(transport, recorder))
                await everybody[-1].connect()
            yield [await met(*pair) for pair in zip(everybody[::2], everybody[1::2], strict=True)]
        finally:
            await asyncio.gather(*(one.close() for one in everybody))


async def met(one: Participant, other: Participant) -> Met:
    """Both join, and nobody else waits."""
    for member in (one, other):
        assert (await member.join()).ok
    session = await one.next_match(PATIENCE)
    assert session is not None
    assert (await other.next_match(PATIENCE)) is not None
    pair = Met(session, (one, other) if session.offerer == one.user else (other, one))
    for channel in pair.channels:
        await channel.open()
    return pair


async def tried(offerer: SignalPort, answerer: SignalPort, deadline: float) -> tuple[PeerResult, PeerResult]:
    """The handshake over these channels."""
    network = Loopback()
    return await asyncio.gather(
        connect_peer(offerer, Role.OFFERER, network, deadline),
        connect_peer(answerer, Role.ANSWERER, network, deadline),
    )


def attacked(pair: Met, offers: Bend, answers: Bend) -> tuple[SignalPort, SignalPort]:
    """The channels of a pair whose members bend what they send."""
    offerer, answerer = pair.channels
    return Bent(offerer, offers), Bent(answerer, answers)


def untouched(signal: Signal) -> list[Signal]:
    return [signal]


MUTE = without("ice-candidate")
ATTACKS: dict[str, tuple[Bend, Bend, Stage, str]] = {
    "wrong fingerprint": (untouched, forged, Stage.DTLS, "no DTLS connection"),
    "garbage SDP": (nonsense, untouched, Stage.SIGNALLING_BROKEN, "Error"),
    "candidates of nobody": (strange, MUTE, Stage.SIGNALLING_BROKEN, "another description"),
    "candidates for no section": (misled, MUTE, Stage.SIGNALLING_BROKEN, "mid '7'"),
    "an offer of 64 KiB": (huge, untouched, Stage.SIGNALLING_BROKEN, "at most 32768"),
}
"""What the offerer and the answerer do, the pair's stage, and what the side that saw it says."""


async def test_each_attack_ends_in_its_stage_and_the_others_connect(target):
    """All at once through one server: hostile pairs, one who writes into another's session, and healthy pairs."""
    ops: list[Op] = []
    async with meetings(target, len(ATTACKS) + 1 + HEALTHY, ops) as pairs:
        hostile, astray, healthy = pairs[: len(ATTACKS)], pairs[len(ATTACKS)], pairs[-HEALTHY:]
        victim = astray.members[0].signalling(healthy[0].session)
        misdirected = Misdirected(astray.channels[0], untouched, victim), astray.channels[1]
        results = await asyncio.gather(
            *(
                tried(*attacked(pair, offers, answers), SHORT)
                for pair, (offers, answers, *_) in zip(hostile, ATTACKS.values(), strict=True)
            ),
            tried(*misdirected, SHORT),
            *(tried(*pair.channels, PATIENCE) for pair in healthy),
        )
    seen = dict(zip(ATTACKS, results, strict=False))
    stages = {name: pair_result(*pair).stage for name, pair in seen.items()}
    assert stages == {name: attack[2] for name, attack in ATTACKS.items()}, seen
    for name, (*_, stage, detail) in ATTACKS.items():
        assert any(side.stage is stage and detail in side.detail for side in seen[name]), seen[name]
    lost = results[len(ATTACKS)]
    assert pair_result(*lost).stage is Stage.SIGNALLING_LOST
    assert "may not have our offer" in lost[0].detail
    assert [pair_result(*pair).stage for pair in results[-HEALTHY:]] == [Stage.CONNECTED] * HEALTHY, results
    assert all(side.disorder == {} for pair in results[-HEALTHY:] for side in pair)
    heard = {op.value["sender"] for op in ops if op.op == "signal_recv" and op.value["id"] == healthy[0].session.id}
    assert heard == {member.user for member in healthy[0].members}
