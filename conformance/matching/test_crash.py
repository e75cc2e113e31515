"""MM-S10 and MM-L7: the server is killed once, by the target's own command, and what it leaves is looked at."""

from __future__ import annotations

from conformance.matching.crash import Aftermath, crash
from conformance.outcome import broken
from conformance.scenario import requires
from conformance.trial import Trial
from harness.checkers.telling import short


@requires("MM-S10")
async def test_mm_s10_sessions_survive_a_crash(trial: Trial) -> None:
    """Two pairs are in sessions, one of them with open sockets; after a crash each member asks for his session."""
    await trial.stage.share(crash, trial)


@requires("MM-L7")
async def test_mm_l7_matching_goes_on_after_a_crash(trial: Trial) -> None:
    """Once the time to heal is over, who waited through the crash and three others join: all are matched and told."""
    await trial.stage.share(crash, trial)
    if not trial.target.capabilities.push or trial.finding() is not None:
        return
    after = Aftermath.of(trial.ops)
    for user in sorted(after.untold):
        raise broken(
            "MM-L7",
            sent=f"after the crash and {trial.budgets.heal:g} s to heal, user {short(user)} subscribed to new sessions "
            "and joined",
            came="he saw his session by poll, and no push of it came",
            users=[user],
            witness=[after.fault, *(op for op in after.ops if op.user == user and op.op != "heartbeat")],
        )
