"""Audio and video between two real peers, proven by RTP sequence numbers."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.rtcrtpreceiver import RemoteStreamTrack

from harness.network.loopback import Loopback
from harness.peer.media import Media, PacketTrack, PictureTrack, ToneTrack
from harness.peer.peer import Peer
from harness.peer.quality import ENOUGH
from harness.peer.spans import Step
from harness.peer.stage import Role, Stage
from tests.harness.peer.wire import DEADLINE, connected, wires


@pytest.mark.parametrize("media", [Media.AUDIO, Media.AUDIO_ENCODED, Media.VIDEO])
async def test_media_is_counted_by_sequence_number(media):
    """A pair with media is connected once both sides have counted packets; loss, jitter and MOS follow from them."""
    async with connected(media=media) as pair:
        for result, peer in zip(pair.results, pair.peers, strict=True):
            assert result.stage is Stage.CONNECTED, result
            assert Step.FIRST_MEDIA in result.times
            (listener,) = peer.attempt.connection.listeners
            assert listener.receipt.received >= ENOUGH
            assert (listener.receipt.lost, listener.receipt.gaps) == (0, 0)
            quality = peer.quality()
            assert (quality.loss, quality.jitter < 1, 1 <= quality.mos <= 4.5) == (0, True, True)


async def test_what_is_decoded_does_not_pile_up(monkeypatch):
    """Frames of a decoded track are taken off it."""
    taken, enough, recv = [], asyncio.Event(), RemoteStreamTrack.recv

    async def counted(track):
        taken.append(await recv(track))
        if len(taken) == 5:
            enough.set()
        return taken[-1]

    monkeypatch.setattr(RemoteStreamTrack, "recv", counted)
    async with connected(media=Media.AUDIO_ENCODED), asyncio.timeout(10):
        await enough.wait()


async def test_media_that_does_not_come_is_silent_media():
    """A peer that expects audio of one who sends none is connected for data, and says what is missing."""
    left, right = wires()
    network = Loopback()
    async with Peer(Role.OFFERER, network, media=Media.AUDIO) as one, Peer(Role.ANSWERER, network) as other:
        wanting, content = await asyncio.gather(one.connect(left, 1.0), other.connect(right, DEADLINE))
    assert (wanting.stage, content.stage) == (Stage.MEDIA_SILENT, Stage.CONNECTED)


@pytest.mark.parametrize(("track", "step"), [(PacketTrack, 960), (ToneTrack, 960), (PictureTrack, 6000)])
async def test_tracks_give_things_when_they_are_due(track, step):
    """Each thing carries its own time, and comes no earlier."""
    made = track()
    loop = asyncio.get_running_loop()
    began = loop.time()
    things = [await made.recv() for _ in range(3)]
    assert [thing.pts for thing in things] == [0, step, 2 * step]
    assert loop.time() - began >= float(2 * step * things[0].time_base) - 0.005
    made.stop()
