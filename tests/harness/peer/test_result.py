"""Both sides of a pair, put together."""

from __future__ import annotations

import itertools

import pytest

from harness.peer.quality import Quality
from harness.peer.result import PeerResult, pair_result
from harness.peer.stage import Role, Stage, stage_of_pair


def sides(one: str, other: str):
    return PeerResult(Role.OFFERER, Stage.CONNECTED, path=one), PeerResult(Role.ANSWERER, Stage.CONNECTED, path=other)


@pytest.mark.parametrize(
    ("one", "other", "types", "relayed"),
    [
        ("host/host", "host/host", ("host", "host"), False),
        ("host/srflx", "host/prflx", ("prflx", "srflx"), False),
        ("relay/prflx", "host/relay", ("relay", "prflx"), True),
        ("host/prflx", "relay/srflx", ("srflx", "relay"), True),
        ("", "", ("", ""), False),
        ("host/host", "", ("host", "host"), False),
    ],
)
def test_types_are_taken_from_who_knows_them(one, other, types, relayed):
    """A side knows its own relay; that it appears as srflx or prflx only its partner knows."""
    pair = pair_result(*sides(one, other))
    assert (pair.types, pair.relay_used) == (types, relayed)


@pytest.mark.parametrize(
    ("one", "other", "stage"),
    [
        (Stage.CONNECTED, Stage.CONNECTED, Stage.CONNECTED),
        (Stage.CONNECTED, Stage.DATA_SILENT, Stage.ONE_SIDED),
        (Stage.CONNECTED, Stage.ABORTED, Stage.ONE_SIDED),
        (Stage.DTLS, Stage.DATA_SILENT, Stage.DTLS),
        (Stage.ICE_CHECKS_TIMEOUT, Stage.TURN_AUTH, Stage.TURN_AUTH),
        (Stage.ICE_CHECKS_TIMEOUT, Stage.SIGNALLING_LOST, Stage.SIGNALLING_LOST),
        (Stage.ABORTED, Stage.ICE_CHECKS_TIMEOUT, Stage.ICE_CHECKS_TIMEOUT),
    ],
)
def test_the_stage_of_a_pair(one, other, stage):
    """Both connected, or one, or the stage that explains the other."""
    assert stage_of_pair(one, other) is stage
    assert stage_of_pair(other, one) is stage


def test_every_two_stages_make_one():
    """No two stages are without an answer, and the order of the sides does not matter."""
    for one, other in itertools.product(Stage, repeat=2):
        assert stage_of_pair(one, other) is stage_of_pair(other, one)


def test_what_a_history_keeps():
    """What was not there is left out; the estimate comes from its three figures."""
    plain = PeerResult(Role.OFFERER, Stage.CONNECTED)
    assert plain.value() == {"stage": "connected", "detail": "", "path": "", "times": {}}
    full = PeerResult(
        Role.OFFERER, Stage.CONNECTED, "", "relay/srflx", "tls", {"ice": 0.1}, 2, glare=True,
        quality=Quality(0.1, 0.01, 0.0),
    )  # fmt: skip
    assert full.relay_used
    assert full.value() == {
        "stage": "connected", "detail": "", "path": "relay/srflx", "times": {"ice": 0.1}, "relay_protocol": "tls",
        "attempt": 2, "glare": True, "rtt": 0.1, "jitter": 0.01, "loss": 0.0, "mos": 4.338,
    }  # fmt: skip
