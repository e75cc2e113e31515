"""Calls between Chromium and our peers, in both directions, and between two pages, signalled through a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.client.participant import Participant, Transport
from harness.client.signalling import SignalChannel
from harness.history.recorder import Recorder
from harness.lab.chromium import running_chromium
from harness.lab.devtools import DevTools
from harness.lab.server import running_server
from harness.network.loopback import Loopback
from harness.peer.chromium import ChromiumPeer
from harness.peer.peer import Peer
from harness.peer.result import pair_result
from harness.peer.stage import Role, Stage
from harness.target import Budgets, Target

PATIENCE = 30.0


@dataclass
class Meeting:
    """A browser, and two users in a session: the channels of the offerer and of the answerer."""

    tools: DevTools
    offerer: SignalChannel
    answerer: SignalChannel

    async def browser(self, role: Role) -> ChromiumPeer:
        return ChromiumPeer(await self.tools.page(), role)


@pytest.fixture
async def meeting(database_url: str, tmp_path: Path) -> AsyncIterator[Meeting]:
    async with (
        running_chromium(tmp_path / "chromium.log") as tools,
        running_server("hardened", database_url, tmp_path / "server.log") as server,
        met(
            Target(
                name="hardened", api_url=server.api_url, supabase_url=server.supabase_url, anon_key=server.anon_key,
                budgets=Budgets(poll_interval=0.2),
            )
        ) as channels,
    ):  # fmt: skip
        yield Meeting(tools, *channels)


@asynccontextmanager
async def met(target: Target) -> AsyncIterator[tuple[SignalChannel, SignalChannel]]:
    """Two users whom the target matched."""
    recorder = Recorder(SimpleNamespace(append=lambda _op: None))
    async with Transport(target) as transport:
        one, other = [await Participant.enter(transport, recorder) for _ in range(2)]
        try:
            await asyncio.gather(one.connect(), other.connect())
            assert (await one.join()).ok
            assert (await other.join()).ok
            session = await one.next_match(PATIENCE)
            assert session is not None
            assert (await other.next_match(PATIENCE)) is not None
            if session.offerer != one.user:
                one, other = other, one
            channels = one.signalling(session), other.signalling(session)
            await asyncio.gather(*(channel.open() for channel in channels))
            yield channels
        finally:
            await asyncio.gather(one.close(), other.close())


async def test_chromium_offers_and_we_answer(meeting: Meeting):
    """Data goes both ways, over loopback."""
    async with await meeting.browser(Role.OFFERER) as browser, Peer(Role.ANSWERER, Loopback()) as ours:
        results = await asyncio.gather(
            browser.connect(meeting.offerer, PATIENCE), ours.connect(meeting.answerer, PATIENCE)
        )
        assert pair_result(*results).stage is Stage.CONNECTED, results
        assert {"offer_sent", "ice", "dtls", "open", "connected"} <= results[0].times.keys()
        assert [result.path.count("relay") for result in results] == [0, 0]


async def test_we_offer_and_chromium_answers(meeting: Meeting):
    """Data goes both ways, over loopback; the heartbeats of our side are answered by the page."""
    async with Peer(Role.OFFERER, Loopback()) as ours, await meeting.browser(Role.ANSWERER) as browser:
        results = await asyncio.gather(
            ours.connect(meeting.offerer, PATIENCE), browser.connect(meeting.answerer, PATIENCE)
        )
        assert pair_result(*results).stage is Stage.CONNECTED, results
        assert results[1].times["offer_received"] <= results[1].times["answer"] <= results[1].times["connected"]


async def test_two_pages_restart_ice(meeting: Meeting):
    """The same connection gets new ICE credentials on both sides and a new path, and what is said still arrives.

    The path is the offerer's, which controls (RFC 8445 section 6.1.1): on a busy machine Chromium's other side was seen
    to stay with a pair of before, though what it says goes on to arrive.
    """
    async with await meeting.browser(Role.OFFERER) as one, await meeting.browser(Role.ANSWERER) as other:
        results = await asyncio.gather(
            one.connect(meeting.offerer, PATIENCE), other.connect(meeting.answerer, PATIENCE)
        )
        assert pair_result(*results).stage is Stage.CONNECTED, results
        await one.restart_ice()
        await one.until_path_of(2, PATIENCE)
        assert [len(set(peer.ufrags)) for peer in (one, other)] == [2, 2]
        await one.say("still there?")
        assert await other.hear(PATIENCE) == "still there?"
        await other.say("yes")
        assert await one.hear(PATIENCE) == "yes"


async def test_a_description_that_the_browser_refuses_is_broken_signalling(meeting: Meeting):
    """The stage says whose fault it was, in the browser's words."""
    async with await meeting.browser(Role.ANSWERER) as browser:
        trying = asyncio.create_task(browser.connect(meeting.answerer, PATIENCE))
        await meeting.offerer.send("offer", offer={"type": "offer", "sdp": "v=0\r\nm=application nonsense\r\n"})
        result = await trying
        assert result.stage is Stage.SIGNALLING_BROKEN
        assert "setRemoteDescription" in result.detail
