"""Trickle ICE over whole descriptions: candidates taken out of an SDP, and put into signals (RFC 8840, W3C WebRTC 4.8).

aiortc gathers everything before it gives a local description, and has no `icecandidate` event. The document's client
trickles, so what aiortc gathered is sent as a browser would send it: first the description without candidates, then
one signal per candidate, then the end of candidates (a candidate whose text is empty).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

_CANDIDATES = re.compile(r"^a=(candidate:[^\r\n]*)", re.MULTILINE)
_TRICKLED = re.compile(r"^a=(?:candidate:[^\r\n]*|end-of-candidates)(?:\r?\n|\Z)", re.MULTILINE)


class Candidate(Struct, frozen=True, gc=False):
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
    head, *media = _sections(sdp)
    found: dict[str, Candidate] = {}
    ends: list[Candidate] = []
    for index, section in enumerate(media):
        mid = _value(section, "a=mid:") or str(index)
        ufrag = _value(section, "a=ice-ufrag:") or _value(head, "a=ice-ufrag:") or None
        ends.append(Candidate("", mid, index, ufrag))
        for text in _CANDIDATES.findall(section):  # a bundled section repeats those of the first
            found.setdefault(text, Candidate(text, mid, index, ufrag))
    return Trickled(_TRICKLED.sub("", sdp), (*found.values(), *(ends[:1] or [Candidate("", "0", 0)])))


@dataclass(frozen=True, slots=True)
class Remote:
    """What a description of the other side says about the candidates that belong to it."""

    mids: tuple[str, ...]
    ufrags: frozenset[str]

    @classmethod
    def of(cls, sdp: str) -> Remote:
        """Reads a description."""
        head, *media = _sections(sdp)
        mids = tuple(_value(section, "a=mid:") or str(index) for index, section in enumerate(media))
        found = (_value(section, "a=ice-ufrag:") for section in (head, *media))
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
    return _value(sdp, "a=fingerprint:")


def rank_of(sdp: str) -> tuple[str, str]:
    """What tells two descriptions apart in a way that both sides can see: the fingerprint, then the ICE password."""
    return fingerprint_of(sdp), _value(sdp, "a=ice-pwd:")


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


def _sections(sdp: str) -> list[str]:
    """The session part, then each media section without its `m=`."""
    return sdp.split("\nm=")


def _value(section: str, prefix: str) -> str:
    """What follows the prefix in the first line that has it; empty where none has."""
    _, found, rest = f"\n{section}".partition(f"\n{prefix}")
    return rest.partition("\n")[0].rstrip("\r") if found else ""
