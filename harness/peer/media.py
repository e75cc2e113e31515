"""What a peer sends and receives besides data: audio, encoded or not, and a test picture."""

from __future__ import annotations

import array
import asyncio
import math
from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from typing import Any

from aiortc import MediaStreamTrack, RTCRtpTransceiver
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, Packet, VideoFrame

from harness.peer.quality import Receipt

_AUDIO_RATE = 48_000
_AUDIO_SAMPLES = 960
"""20 ms, as every browser packs Opus (RFC 7587)."""
_SILENCE = b"\xf8\xff\xfe"
"""20 ms of silence as Opus: CELT, full band, mono (RFC 6716 section 3.1)."""
_VIDEO_RATE = 90_000
_PICTURES = 15
"""Pictures a second."""
_WIDTH, _HEIGHT, _BAR = 320, 240, 16


class Media(StrEnum):
    """What goes over a connection besides the data channel."""

    NONE = "none"
    AUDIO = "audio"
    """Opus packets made beforehand, not decoded on arrival: 50 a second at a few per cent of a core for a pair."""
    AUDIO_ENCODED = "audio-encoded"
    """A tone through a real encoder, and decoded on arrival."""
    VIDEO = "video"
    """A test picture through a real encoder, and decoded on arrival."""

    @property
    def kind(self) -> str:
        """The kind of the track as W3C has it; empty where there is none."""
        return {Media.NONE: "", Media.VIDEO: "video"}.get(self, "audio")

    @property
    def decoded(self) -> bool:
        """Whether what comes is decoded."""
        return self in {Media.AUDIO_ENCODED, Media.VIDEO}


def track_of(media: Media) -> MediaStreamTrack:
    """A fresh track of this media."""
    return {Media.AUDIO: PacketTrack, Media.AUDIO_ENCODED: ToneTrack, Media.VIDEO: PictureTrack}[media]()


class _PacedTrack(MediaStreamTrack):
    """Gives something each so many ticks of its own clock, when it is due."""

    rate = _AUDIO_RATE
    step = _AUDIO_SAMPLES

    def __init__(self) -> None:
        super().__init__()
        self._given = 0
        self._began: float | None = None

    async def recv(self) -> Any:
        """The next packet or frame, when it is due on the loop's clock."""
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._began is None:
            self._began = loop.time()
        await asyncio.sleep(self._began + self._given * self.step / self.rate - loop.time())
        given, self._given = self._given, self._given + 1
        made = self.make(given)
        made.pts, made.time_base = given * self.step, Fraction(1, self.rate)
        return made

    def make(self, number: int) -> Any:
        """What to give, without its time."""
        raise NotImplementedError


class PacketTrack(_PacedTrack):
    """Silence as Opus, which nobody encodes again."""

    kind = "audio"

    def make(self, number: int) -> Packet[Any]:  # noqa: ARG002
        """20 ms of it."""
        return Packet(_SILENCE)


class ToneTrack(_PacedTrack):
    """A tone of 400 Hz."""

    kind = "audio"
    _samples = array.array(
        "h", (round(8000 * math.sin(2 * math.pi * 400 * at / _AUDIO_RATE)) for at in range(_AUDIO_SAMPLES))
    ).tobytes()

    def make(self, number: int) -> AudioFrame:  # noqa: ARG002
        """20 ms of it: eight whole waves."""
        frame = AudioFrame(format="s16", layout="mono", samples=_AUDIO_SAMPLES)
        frame.sample_rate = _AUDIO_RATE
        frame.planes[0].update(self._samples)
        return frame


class PictureTrack(_PacedTrack):
    """A white bar that walks over grey."""

    kind = "video"
    rate = _VIDEO_RATE
    step = _VIDEO_RATE // _PICTURES

    def make(self, number: int) -> VideoFrame:
        """One picture."""
        frame = VideoFrame(_WIDTH, _HEIGHT, "yuv420p")
        line = bytearray(b"\x80" * _WIDTH)
        at = number * 4 % (_WIDTH - _BAR)
        line[at : at + _BAR] = b"\xeb" * _BAR
        for plane, row in zip(frame.planes, (line, b"\x80" * (_WIDTH // 2), b"\x80" * (_WIDTH // 2)), strict=True):
            plane.update((bytes(row).ljust(plane.line_size, b"\0")) * plane.height)
        return frame


class Listener:
    """Counts the RTP packets of one track as they come in, before anything else sees them.

    aiortc has no hook for that, so the receiver's own entry is taken over on this one object. What need not be decoded
    ends here; what is decoded is taken off the track, which would pile it up.

    Args:
        transceiver: its receiver, negotiated.
        decoded: whether packets go on to the decoder.
        clock: monotonic seconds.
        came: is called with the count after each packet.
    """

    def __init__(
        self,
        transceiver: RTCRtpTransceiver,
        decoded: bool,
        clock: Callable[[], float],
        came: Callable[[Receipt], None],
    ) -> None:
        self._rates = {
            codec.payloadType: codec.clockRate for codec in transceiver._codecs if codec.name.lower() != "rtx"
        }
        self.receipt = Receipt(next(iter(self._rates.values())))
        self.frames = 0
        """Frames that were decoded."""
        self._clock = clock
        self._came = came
        receiver: Any = transceiver.receiver
        self._pass_on = receiver._handle_rtp_packet if decoded else None
        receiver._handle_rtp_packet = self._handle
        self._drain = asyncio.create_task(self._take_frames(receiver.track), name="media: frames") if decoded else None

    async def close(self) -> None:
        """Ends what this listener started."""
        if self._drain is not None:
            self._drain.cancel()
            await asyncio.wait([self._drain])

    async def _handle(self, packet: Any, arrival_time_ms: int) -> None:
        if packet.payload_type in self._rates:
            self.receipt.note(packet.sequence_number, packet.timestamp, self._clock())
            self._came(self.receipt)
        if self._pass_on is not None:
            await self._pass_on(packet, arrival_time_ms=arrival_time_ms)

    async def _take_frames(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                await track.recv()
            except MediaStreamError:
                return
            self.frames += 1
