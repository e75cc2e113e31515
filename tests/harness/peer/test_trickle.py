"""Candidates taken out of a description, and read from signals."""

from __future__ import annotations

import pytest

from harness.peer.trickle import Candidate, Remote, candidate_of, fingerprint_of, rank_of, trickled

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


@pytest.mark.parametrize(
    "init", [7, "candidate:…", {}, {"candidate": 3}, {"candidate": HOST}, {"candidate": HOST, "sdpMid": 0}]
)
def test_anything_else_is_refused(init):
    """A signal that is no RTCIceCandidateInit, or names no media section, is refused."""
    with pytest.raises((TypeError, ValueError), match=r"RTCIceCandidateInit|sdpMid"):
        candidate_of(init)


BUNDLED = "\r\n".join(
    [
        "v=0", "s=-", "a=fingerprint:sha-256 AB:CD",
        "m=audio 9 UDP/TLS/RTP/SAVPF 96", "a=mid:0", "a=ice-ufrag:mine", f"a={HOST}", "a=end-of-candidates",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:1", "a=ice-ufrag:mine", f"a={HOST}", "",
    ]
)  # fmt: skip


def test_bundled_sections_send_each_candidate_once():
    """Sections on one transport repeat its candidates; they are sent for the first, with its fragment."""
    sent = trickled(BUNDLED)
    assert sent.candidates == (Candidate(HOST, "0", 0, "mine"), Candidate("", "0", 0, "mine"))
    assert sent.candidates[0].as_init()["usernameFragment"] == "mine"


def test_a_description_owns_its_candidates():
    """By the user name fragment where a candidate has one; whoever says nothing is believed."""
    remote = Remote.of(BUNDLED)
    assert remote == Remote(("0", "1"), frozenset({"mine"}))
    owned = [remote.owns(Candidate(HOST, "0", 0, ufrag)) for ufrag in ("mine", None, "yours")]
    assert owned == [True, True, False]


def test_a_candidate_is_for_a_section_that_there_is():
    """By its mid, or else by its index; the end of candidates is for all."""
    remote = Remote.of(BUNDLED)
    assert not any(remote.refusal(Candidate(HOST, mid, index)) for mid, index in (("1", None), (None, 1), ("0", 7)))
    assert all(remote.refusal(Candidate(HOST, mid, index)) for mid, index in (("7", None), (None, 2), ("7", 0)))
    assert not remote.refusal(Candidate("", None, None))


def test_the_fingerprint_of_a_description():
    """The first that is named, or none."""
    assert fingerprint_of(BUNDLED) == "sha-256 AB:CD"
    assert fingerprint_of(SDP) == ""


def test_descriptions_are_ranked_by_fingerprint_then_by_password():
    """So that two sides with one certificate can still tell which of their offers comes first."""
    low, high = (f"a=ice-pwd:{password}\r\na=fingerprint:sha-256 AB\r\n" for password in ("abc", "abd"))
    other = "a=ice-pwd:abc\r\na=fingerprint:sha-256 AC\r\n"
    assert rank_of("") < rank_of(low) < rank_of(high) < rank_of(other)


def test_a_candidate_in_the_last_line_is_taken_out_too():
    """Also where no line break follows it."""
    sent = trickled(SDP[: SDP.index("\r\na=end-of-candidates")])
    assert "candidate" not in sent.sdp
    assert sent.gathered == 1
