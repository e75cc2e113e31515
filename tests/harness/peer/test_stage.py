"""Each attempt fails at exactly one stage."""

from __future__ import annotations

import pytest

from harness.peer.stage import Progress, Stage, stage_of

LADDER = [
    (Progress(), Stage.SIGNALLING_LOST),
    (Progress(local_candidates=0), Stage.GATHERING_NONE),
    (Progress(local_candidates=1), Stage.SIGNALLING_LOST),
    (Progress(local_candidates=1, remote_description=True), Stage.SIGNALLING_LOST),
    (Progress(local_candidates=1, remote_description=True, remote_candidates=1), Stage.ICE_CHECKS_TIMEOUT),
    (Progress(local_candidates=1, remote_description=True, ice_completed=True), Stage.DTLS),
    (
        Progress(local_candidates=1, remote_description=True, ice_completed=True, dtls_connected=True),
        Stage.DATA_SILENT,
    ),
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
