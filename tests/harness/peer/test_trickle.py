"""Candidates taken out of a description, and read from signals."""

from __future__ import annotations

import pytest

from harness.peer.trickle import Candidate, candidate_of, trickled

HOST = "candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host"
SDP = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "m=application 40000 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:data",
        f"a={HOST}",
        "a=end-of-candidates",
        "a=setup:actpass",
        "",
    ]
)


def test_the_description_keeps_everything_but_candidates():
    """What is sent first has no candidate and no end of candidates, and nothing else is lost."""
    sent = trickled(SDP)
    assert "candidate" not in sent.sdp
    assert sent.sdp.splitlines() == [line for line in SDP.splitlines() if "candidate" not in line]
    assert sent.sdp.endswith("\r\n")


def test_candidates_name_their_section_and_end_with_an_empty_one():
    """Each candidate carries its media section, and the last one says that no more follow."""
    sent = trickled(SDP)
    assert sent.candidates == (Candidate(HOST, "data", 0), Candidate("", "data", 0))
    assert sent.gathered == 1
    assert sent.candidates[0].as_init() == {"candidate": HOST, "sdpMid": "data", "sdpMLineIndex": 0}


def test_a_description_without_candidates_has_only_the_end():
    """A peer that gathered nothing still says that it has finished."""
    sent = trickled(SDP.replace(f"a={HOST}\r\n", ""))
    assert sent.gathered == 0
    assert [candidate.ends for candidate in sent.candidates] == [True]


def test_what_we_send_we_can_read():
    """The signal form of a candidate round-trips."""
    for candidate in trickled(SDP).candidates:
        assert candidate_of(candidate.as_init()) == candidate


def test_null_and_empty_both_end_the_candidates():
    """Browsers send either; both mean the end."""
    assert candidate_of(None).ends
    assert candidate_of({"candidate": "", "sdpMid": "0"}).ends


@pytest.mark.parametrize("init", [7, "candidate:…", {}, {"candidate": 3}, {"candidate": HOST}])
def test_anything_else_is_refused(init):
    """A signal that is no RTCIceCandidateInit, or names no media section, is refused."""
    with pytest.raises((TypeError, ValueError), match=r"RTCIceCandidateInit|sdpMid"):
        candidate_of(init)
