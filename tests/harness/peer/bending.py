"""What a hostile or broken side does to the signals that it sends; each takes a signal and gives those to be sent."""

from __future__ import annotations

from collections.abc import Callable

from tests.harness.peer.wire import Signal

Bend = Callable[[Signal], list[Signal]]

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
GARBAGE = HEAD + "a=garbage\r\n"
PADDING = "a=x\r\n"


def forged(signal: Signal) -> list[Signal]:
    """An answer with the fingerprint of another certificate."""
    if signal.kind == "answer":
        head, mark, tail = signal.body["answer"]["sdp"].partition("a=fingerprint:sha-256 ")
        tail = ("00" if tail[:2] != "00" else "01") + tail[2:]
        others = [line for line in tail.split("\r\n") if not line.startswith("a=fingerprint")]
        signal.body["answer"]["sdp"] = head + mark + "\r\n".join(others)
    return [signal]


def misled(signal: Signal) -> list[Signal]:
    """Candidates for a media section that there is not."""
    if signal.kind == "ice-candidate" and signal.body["candidate"]["candidate"]:
        signal.body["candidate"] |= {"sdpMid": "7", "sdpMLineIndex": 7}
    return [signal]


def strange(signal: Signal) -> list[Signal]:
    """Candidates of another description."""
    if signal.kind == "ice-candidate":
        signal.body["candidate"] |= {"usernameFragment": "nobody"}
    return [signal]


def garbled(signal: Signal) -> list[Signal]:
    """Candidates that are none."""
    if signal.kind == "ice-candidate" and signal.body["candidate"]["candidate"]:
        signal.body["candidate"] |= {"candidate": "candidate:what is this"}
    return [signal]


def nonsense(signal: Signal) -> list[Signal]:
    """An offer that nobody can use."""
    if signal.kind == "offer":
        signal.body["offer"]["sdp"] = GARBAGE
    return [signal]


def huge(signal: Signal) -> list[Signal]:
    """An offer of more than 64 KiB."""
    if signal.kind == "offer":
        signal.body["offer"]["sdp"] += PADDING * (65_536 // len(PADDING))
    return [signal]


def without(*kinds: str) -> Bend:
    """A wire that loses signals of some kinds."""
    return lambda signal: [] if signal.kind in kinds else [signal]
