"""Each attempt fails at exactly one stage."""

from __future__ import annotations

import pytest

from harness.peer.order import Order
from harness.peer.stage import Progress, Stage, stage_of

REFUSED = (Stage.TURN_AUTH, "401 Unauthorized")
OURS = {"local_candidates": 1}
KNOWN = {**OURS, "remote_description": True}
PATH = {**KNOWN, "ice_completed": True}
KEY = {**PATH, "dtls_connected": True}


def gap() -> Order:
    """Signals 1 and 3."""
    order = Order()
    order.note(1)
    order.note(3)
    return order


LADDER = [
    (Progress(), Stage.SIGNALLING_LOST),
    (Progress(local_candidates=0), Stage.GATHERING_NONE),
    (Progress(local_candidates=0, relay_failure=REFUSED), Stage.TURN_AUTH),
    (Progress(**OURS), Stage.SIGNALLING_LOST),
    (Progress(**OURS, relay_failure=REFUSED), Stage.SIGNALLING_LOST),
    (Progress(busy="still gathering candidates"), Stage.HARNESS_DEADLINE),
    (Progress(**KNOWN), Stage.SIGNALLING_LOST),
    (Progress(**KNOWN, unusable=["x"]), Stage.SIGNALLING_BROKEN),
    (Progress(**KNOWN, late_candidates=1), Stage.SIGNALLING_REORDERED),
    (Progress(**KNOWN, remote_candidates=1), Stage.ICE_CHECKS_TIMEOUT),
    (Progress(**KNOWN, remote_candidates=1, unusable=["x"]), Stage.ICE_CHECKS_TIMEOUT),
    (Progress(**KNOWN, remote_candidates=1, order=gap()), Stage.SIGNALLING_LOST),
    (Progress(**KNOWN, remote_candidates=1, relay_failure=REFUSED), Stage.TURN_AUTH),
    (Progress(**PATH, relay_failure=REFUSED), Stage.DTLS),
    (Progress(**KEY), Stage.DATA_SILENT),
    (Progress(**KEY, data_both_ways=True, media_missing=True), Stage.MEDIA_SILENT),
]


@pytest.mark.parametrize(("seen", "stage"), LADDER)
def test_the_first_step_that_was_not_reached_is_the_stage(seen, stage):
    """An attempt stands where its first missing step is, and says what was missing."""
    found, missing = stage_of(seen)
    assert found is stage
    assert missing


def test_success_wins_over_everything_that_came_later():
    """Once data went both ways the attempt is connected, even if the session then ended."""
    assert stage_of(Progress(data_both_ways=True, ended_by_other=True, broken=(Stage.DTLS, "x")))[0] is Stage.CONNECTED


def test_an_ended_session_is_no_failure_of_the_network():
    """An attempt that was cut short by the end of its session is `aborted`, however far it came."""
    assert stage_of(Progress(local_candidates=1, ended_by_other=True))[0] is Stage.ABORTED


def test_a_broken_signal_names_itself():
    """A signal that cannot be used is told in the detail."""
    broken = (Stage.SIGNALLING_BROKEN, "ValueError: what")
    assert stage_of(Progress(broken=broken)) == broken
