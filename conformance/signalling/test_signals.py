"""SG-S1 to SG-S3: no signal is lost, doubled, out of order or astray, judged from two calls side by side."""

from __future__ import annotations

from conformance.outcome import Inconclusive, broken
from conformance.scenario import requires
from conformance.signalling.exchange import exchange
from conformance.signalling.peers import lost, receipts
from conformance.trial import Trial
from harness.checkers.telling import short


@requires("SG-S1")
async def test_sg_s1_none_lost_and_in_order(trial: Trial) -> None:
    """In each of two calls both members send candidates, their description, and 50 candidates more: all come."""
    await trial.stage.share(exchange, trial)
    if trial.check().findings:
        return
    missing = lost(trial.ops)
    if missing is not None and any(op.op == "lost" for op in trial.ops):
        raise Inconclusive("a socket broke while the signals were exchanged")
    if missing is not None:
        what = f"signal {missing.value['seq']} ({missing.value['type']})"
        raise broken(
            "SG-S1",
            sent=f"user {short(missing.user)} sent {what}, and it was accepted",
            came=f"it never came to his partner in session {short(missing.value['id'])}, who was subscribed",
            users=(missing.user,),
            sessions=(missing.value["id"],),
            witness=[missing, *receipts(trial.ops, missing.value["id"])],
        )


@requires("SG-S2")
async def test_sg_s2_none_doubled(trial: Trial) -> None:
    """Each of those signals comes as one message."""
    await trial.stage.share(exchange, trial)


@requires("SG-S3")
async def test_sg_s3_none_across_sessions(trial: Trial) -> None:
    """Each comes to the partner in its own call, and none that nobody sent; the answer comes after the offer."""
    await trial.stage.share(exchange, trial)
