"""Participants that do as they are told, and their signal channels in memory."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from harness.actor.journey import Span
from harness.actor.persona import Persona
from harness.actor.scene import Scene
from harness.client.participant import JoinReply
from harness.history.op import Op
from harness.history.recorder import Recorder
from harness.network.loopback import Loopback
from harness.protocol.changes import SessionSeen
from harness.protocol.signal import Signal
from harness.target import Budgets


@dataclass
class Channel:
    """One end of a signal channel in memory."""

    other: Channel | None = None
    inbox: asyncio.Queue[Signal] = field(default_factory=asyncio.Queue)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[str] = field(default_factory=list)
    opened: int = 0

    async def open(self) -> None:
        self.opened += 1

    async def send(self, kind: str, /, **body: Any) -> bool:
        self.sent.append(kind)
        if self.other is not None:
            self.other.inbox.put_nowait(Signal("m", "s", "u", kind, len(self.sent), body))
        return True

    async def receive(self, timeout: float | None = None) -> Signal:
        return await asyncio.wait_for(self.inbox.get(), timeout)


def channels() -> tuple[Channel, Channel]:
    """Both ends of a channel."""
    left, right = Channel(), Channel()
    left.other, right.other = right, left
    return left, right


@dataclass
class FakeParticipant:
    """Answers as it is told; `calls` has what it was asked for, in order."""

    user: str
    channel: Channel
    match: asyncio.Future[SessionSeen | None]
    status: int = 200
    polled: SessionSeen | None = None
    replied: SessionSeen | None = None
    """The match that his join is answered with."""
    device: str = "d1"
    calls: list[str] = field(default_factory=list)
    tells: bool = True
    """Whether the partner is told of this user's end of the session."""
    joined_at: float = 0.0
    forgot: asyncio.Event = field(default_factory=asyncio.Event)
    vanished: asyncio.Event = field(default_factory=asyncio.Event)
    rematch: list[asyncio.Future[SessionSeen | None]] = field(default_factory=list)
    """What he finds after each session."""
    searching: asyncio.Event = field(default_factory=asyncio.Event)

    async def join(self, mode: str, due: float | None = None) -> JoinReply:
        self.calls.append(f"join {mode}")
        self.joined_at = time.monotonic()
        return JoinReply(self.status, self.replied)

    async def subscribe_matches(self) -> None:
        self.calls.append("subscribe")

    async def next_match(self, patience: float) -> SessionSeen | None:
        self.calls.append("next_match")
        self.searching.set()
        try:
            return await asyncio.wait_for(asyncio.shield(self.match), patience)
        except TimeoutError:
            return None

    async def poll(self) -> SessionSeen | None:
        self.calls.append("poll")
        return self.polled

    async def leave(self) -> bool:
        self.calls.append("leave")
        return True

    def signalling(self, session: SessionSeen) -> Channel:
        return self.channel

    async def end(self, session_id: str) -> bool:
        self.calls.append(f"end {session_id}")
        if self.channel.other is not None and self.tells:
            self.channel.other.ended.set()
        return True

    async def skip(self, session_id: str) -> bool:
        self.calls.append(f"skip {session_id}")
        if self.channel.other is not None:
            self.channel.other.ended.set()
        return True

    async def forget(self, session_id: str) -> None:
        self.calls.append(f"forget {session_id}")
        self.forgot.set()
        self.channel.ended.clear()
        if self.rematch:
            self.match = self.rematch.pop(0)

    async def vanish(self, kind: str) -> None:
        self.calls.append(f"vanish {kind}")
        self.vanished.set()

    def cut(self) -> None:
        self.calls.append("cut")

    async def close(self) -> None:
        self.calls.append("close")


class Stage:
    """A scene whose history and spans the test can read."""

    def __init__(self, persona: Persona) -> None:
        self.ops: list[Op] = []
        self.spans: list[Span] = []
        self.recorder = Recorder(SimpleNamespace(append=self.ops.append))
        budgets = Budgets(disconnect=0.05, tolerance=0.0)
        transport = SimpleNamespace(target=SimpleNamespace(budgets=budgets))
        self.scene = Scene(transport, self.recorder, persona, Loopback(), report=self.spans.append)
        self.session = SessionSeen("s1", "ann", "bob", "active", "ann")

    def participant(self, user: str, channel: Channel | None = None, *, matched: bool = True) -> FakeParticipant:
        match: asyncio.Future[SessionSeen | None] = asyncio.get_running_loop().create_future()
        if matched:
            match.set_result(self.session)
        return FakeParticipant(user, channel or Channel(), match)

    def now(self) -> float:
        return self.recorder.now()


@pytest.fixture
def make_stage():
    """Makes a stage for a persona."""
    return Stage


@pytest.fixture
def channel_pair():
    """Makes both ends of a channel."""
    return channels
