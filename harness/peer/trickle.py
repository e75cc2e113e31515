"""Trickle ICE over whole descriptions: candidates taken out of an SDP, and put into signals (RFC 8840, W3C WebRTC 4.8).

aiortc gathers everything before it gives a local description, and has no `icecandidate` event. The document's client
trickles, so what aiortc gathered is sent as a browser would send it: first the description without candidates, then
one signal per candidate, then the end of candidates (a candidate whose text is empty).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_CANDIDATE = "a=candidate:"
_END = "a=end-of-candidates"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One trickled candidate: its `candidate:…` line, and the media section that it belongs to."""

    text: str
    mid: str | None
    index: int | None

    @property
    def ends(self) -> bool:
        """Whether it says that no more candidates follow."""
        return not self.text

    def as_init(self) -> dict[str, Any]:
        """The RTCIceCandidateInit that a browser would send."""
        return {"candidate": self.text, "sdpMid": self.mid, "sdpMLineIndex": self.index}


@dataclass(frozen=True, slots=True)
class Trickled:
    """A description without candidates, and its candidates (the end of candidates last)."""

    sdp: str
    candidates: tuple[Candidate, ...]

    @property
    def gathered(self) -> int:
        """How many candidates there are, the end not counted."""
        return sum(not candidate.ends for candidate in self.candidates)


def trickled(sdp: str) -> Trickled:
    """Splits a whole local description into what trickling sends."""
    sections = list(_sections(sdp))
    kept = "".join(f"{line}\r\n" for lines in sections for line in lines if not _is_trickled(line))
    found: list[Candidate] = []
    mids: list[tuple[int, str]] = []
    for index, lines in enumerate(sections[1:]):
        mid = next((line[6:] for line in lines if line.startswith("a=mid:")), str(index))
        mids.append((index, mid))
        found += [Candidate(line[2:], mid, index) for line in lines if line.startswith(_CANDIDATE)]
    first_index, first_mid = mids[0] if mids else (0, "0")
    return Trickled(kept, (*found, Candidate("", first_mid, first_index)))


def candidate_of(init: object) -> Candidate:
    """Reads the RTCIceCandidateInit of a signal; null stands for the end of candidates, as in browsers.

    Raises:
        TypeError, ValueError: it is no RTCIceCandidateInit.
    """
    if init is None:
        return Candidate("", None, None)
    if not isinstance(init, Mapping) or not isinstance(init.get("candidate"), str):
        raise TypeError(f"no RTCIceCandidateInit: {init!r:.80}")
    mid, index = init.get("sdpMid"), init.get("sdpMLineIndex")
    if init["candidate"] and mid is None and index is None:
        raise ValueError("a candidate without sdpMid and sdpMLineIndex (W3C WebRTC 4.8.1)")
    return Candidate(init["candidate"].removeprefix("a="), mid, index)


def _sections(sdp: str) -> Iterator[list[str]]:
    """The session part, then each media section, as lists of lines."""
    lines: list[str] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            yield lines
            lines = []
        lines.append(line)
    yield lines


def _is_trickled(line: str) -> bool:
    return line.startswith(_CANDIDATE) or line == _END
