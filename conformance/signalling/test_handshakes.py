"""SG-S5 and SG-S6: two real peers connect, with candidates that go ahead of their description, and after glare."""

from __future__ import annotations

from conformance.outcome import Breach, Inconclusive, broken
from conformance.scenario import requires
from conformance.signalling.exchange import calls
from conformance.signalling.peers import ANSWERER, OFFERER, CandidatesFirst, here, lost, meet, opened, receipts
from conformance.trial import Trial
from harness.checkers.telling import short
from harness.history.op import Op, Outcome


@requires("SG-S5")
async def test_sg_s5_early_candidates_are_of_use(trial: Trial) -> None:
    """Both peers send all their candidates before their description, and none after: they connect all the same."""
    ((offerer, answerer),) = await calls(trial, 1)
    await opened(offerer, answerer)
    results = await meet(trial, (CandidatesFirst(offerer), CandidatesFirst(answerer)), here())
    if all(result.connected for result in results):
        trial.vouch()
        return
    missing = lost(trial.ops)
    if missing is None:
        raise Inconclusive(f"every signal came, and our peers did not connect ({results[0].stage}, {results[1].stage})")
    raise _never_came(trial, missing, f"the peers did not connect ({results[0].stage}, {results[1].stage})")


@requires("SG-S6")
async def test_sg_s6_glare_is_resolved(trial: Trial) -> None:
    """Both peers offer before either hears of the other's offer: both offers come, one gives way, they connect."""
    ((first, second),) = await calls(trial, 1)
    await opened(first, second)
    results = await meet(trial, (first, second), here(), (OFFERER, OFFERER))
    for offer in [op for op in trial.ops if op.op == "signal_send" and op.value["type"] == "offer"]:
        if offer.outcome is Outcome.FAIL:
            raise _never_came(trial, offer, "it was refused")
        if offer.outcome is Outcome.OK and not await _came(trial, offer):
            raise _never_came(trial, offer, "his partner did not learn that there were two")
    if not all(result.connected for result in results):
        missing = lost(trial.ops)
        if missing is not None:
            raise _never_came(trial, missing, "the peers did not connect")
        raise Inconclusive(f"both offers came, and our peers did not connect ({results[0].stage}, {results[1].stage})")
    if {str(result.role) for result in results} != {OFFERER, ANSWERER}:
        raise Inconclusive("both peers kept the part of the offerer")
    trial.vouch()


async def _came(trial: Trial, sent: Op) -> bool:
    """Whether the signal comes to the partner in time."""
    wanted = (sent.value["id"], sent.user, sent.value["seq"])

    def is_it(op: Op) -> bool:
        return op.op == "signal_recv" and (op.value["id"], op.value["sender"], op.value["seq"]) == wanted

    return await trial.happened(is_it, trial.budgets.notify + trial.budgets.tolerance)


def _never_came(trial: Trial, sent: Op, so: str) -> Breach:
    session, what = str(sent.value["id"]), f"signal {sent.value['seq']} ({sent.value['type']})"
    return broken(
        trial.requirement.id,
        sent=f"user {short(sent.user)} sent {what} in session {short(session)}",
        came=f"it never came to his partner, who was subscribed; {so}",
        users=(sent.user,),
        sessions=(session,),
        witness=[sent, *receipts(trial.ops, session)],
    )
