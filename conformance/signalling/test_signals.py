"""SG-S1 to SG-S3: no signal is lost, doubled, out of order or astray, judged from two calls side by side."""

from __future__ import annotations

from conformance.outcome import Inconclusive, broken
from conformance.scenario import requires
from conformance.signalling.exchange import exchange
from conformance.trial import Trial
from harness.checkers.telling import short
from harness.history.op import Op, Outcome


@requires("SG-S1")
async def test_sg_s1_none_lost_and_in_order(trial: Trial) -> None:
    """In each of two calls both members send candidates, their description, and 50 candidates more: all come."""
    await trial.stage.share(exchange, trial)
    if trial.check().findings:
        return
    lost = _lost(trial.ops)
    if lost is not None and any(op.op == "lost" for op in trial.ops):
        raise Inconclusive("a socket broke while the signals were exchanged")
    if lost is not None:
        raise broken(
            "SG-S1",
            sent=f"user {short(lost.user)} sent signal {lost.value['seq']} ({lost.value['type']}), and it was accepted",
            came=f"it never came to his partner in session {short(lost.value['id'])}, who was subscribed",
            users=(lost.user,),
            sessions=(lost.value["id"],),
            witness=[lost, *(op for op in trial.ops if op.op == "signal_recv" and op.value["id"] == lost.value["id"])],
        )


@requires("SG-S2")
async def test_sg_s2_none_doubled(trial: Trial) -> None:
    """Each of those signals comes as one message."""
    await trial.stage.share(exchange, trial)


@requires("SG-S3")
async def test_sg_s3_none_across_sessions(trial: Trial) -> None:
    """Each comes to the partner in its own call, and none that nobody sent; the answer comes after the offer."""
    await trial.stage.share(exchange, trial)


def _lost(ops: list[Op]) -> Op | None:
    """An accepted signal that nobody received."""
    came = {(op.value["id"], op.value["sender"], op.value["seq"]) for op in ops if op.op == "signal_recv"}
    return next(
        (
            op for op in ops
            if op.op == "signal_send" and op.outcome is Outcome.OK
            and (op.value["id"], op.user, op.value["seq"]) not in came
        ),
        None,
    )  # fmt: skip
