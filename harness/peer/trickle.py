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
    ufrag: str | None = None
    """The description that it belongs to, by its `a=ice-ufrag`; None where the sender does not say."""

    @property
    def ends(self) -> bool:
        """Whether it says that no more candidates follow."""
        return not self.text

    def as_init(self) -> dict[str, Any]:
        """The RTCIceCandidateInit that a browser would send."""
        init = {"candidate": self.text, "sdpMid": self.mid, "sdpMLineIndex": self.index}
        return init if self.ufrag is None else {**init, "usernameFragment": self.ufrag}


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
    found: dict[str, Candidate] = {}
    ends: list[Candidate] = []
    for index, lines in enumerate(sections[1:]):
        mid = _value(lines, "a=mid:") or str(index)
        ufrag = _value(lines, "a=ice-ufrag:") or _value(sections[0], "a=ice-ufrag:")
        ends.append(Candidate("", mid, index, ufrag))
        for line in lines:
            if line.startswith(_CANDIDATE):  # a bundled section repeats those of the first
                found.setdefault(line[2:], Candidate(line[2:], mid, index, ufrag))
    return Trickled(kept, (*found.values(), *(ends[:1] or [Candidate("", "0", 0)])))


@dataclass(frozen=True, slots=True)
class Remote:
    """What a description of the other side says about the candidates that belong to it."""

    mids: tuple[str, ...]
    ufrags: frozenset[str]

    @classmethod
    def of(cls, sdp: str) -> Remote:
        """Reads a description."""
        head, *media = _sections(sdp)
        mids = tuple(_value(lines, "a=mid:") or str(index) for index, lines in enumerate(media))
        found = (_value(lines, "a=ice-ufrag:") for lines in (head, *media))
        return cls(mids, frozenset(ufrag for ufrag in found if ufrag))

    def owns(self, candidate: Candidate) -> bool:
        """Whether the candidate was gathered for this description, as far as it says."""
        return candidate.ufrag is None or not self.ufrags or candidate.ufrag in self.ufrags

    def refusal(self, candidate: Candidate) -> str:
        """Why the candidate is for none of the media sections; empty where it is for one."""
        known = candidate.mid in self.mids if candidate.mid is not None else (candidate.index or 0) < len(self.mids)
        return "" if known or candidate.ends else f"a candidate for mid {candidate.mid!r}, index {candidate.index!r}"


def fingerprint_of(sdp: str) -> str:
    """The certificate fingerprint that a description names first; empty where it names none."""
    return _first(sdp, "a=fingerprint:")


def rank_of(sdp: str) -> tuple[str, str]:
    """What tells two descriptions apart in a way that both sides can see: the fingerprint, then the ICE password."""
    return fingerprint_of(sdp), _first(sdp, "a=ice-pwd:")


def candidate_of(init: object) -> Candidate:
    """Reads the RTCIceCandidateInit of a signal; null stands for the end of candidates, as in browsers.

    Raises:
        TypeError, ValueError: it is no RTCIceCandidateInit.
    """
    if init is None:
        return Candidate("", None, None)
    if not isinstance(init, Mapping) or not isinstance(init.get("candidate"), str):
        raise TypeError(f"no RTCIceCandidateInit: {init!r:.80}")
    mid, index, ufrag = init.get("sdpMid"), init.get("sdpMLineIndex"), init.get("usernameFragment")
    if not isinstance(mid, str | None) or not isinstance(index, int | None) or not isinstance(ufrag, str | None):
        raise TypeError(f"no RTCIceCandidateInit: {init!r:.80}")
    if init["candidate"] and mid is None and index is None:
        raise ValueError("a candidate without sdpMid and sdpMLineIndex (W3C WebRTC 4.8.1)")
    return Candidate(init["candidate"].removeprefix("a="), mid, index, ufrag)


def _sections(sdp: str) -> Iterator[list[str]]:
    """The session part, then each media section, as lists of lines."""
    lines: list[str] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            yield lines
            lines = []
        lines.append(line)
    yield lines


def _value(lines: list[str], prefix: str) -> str | None:
    """What follows the prefix in the first line that has it."""
    return next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), None)


def _first(sdp: str, prefix: str) -> str:
    """What follows the prefix in the first line of all that has it; empty where none has."""
    return _value(sdp.splitlines(), prefix) or ""


def _is_trickled(line: str) -> bool:
    return line.startswith(_CANDIDATE) or line == _END
