"""MM-S6: who leaves is not matched."""

from __future__ import annotations

from conformance.outcome import Inconclusive
from conformance.scenario import requires
from conformance.trial import SETTLE, Trial, together
from harness.history.op import Op

LEAVERS = 20
RACES = 8


@requires("MM-S6")
async def test_mm_s6_who_leaves_is_not_matched(trial: Trial) -> None:
    """Users join and cancel at once, one after the other; then two others join. The leavers meet nobody.

    After that, one waits and cancels at the moment at which another joins: they may just meet, or not; but whoever
    joins after the cancel was accepted does not meet him.
    """
    leavers = await trial.crowd(LEAVERS)
    late = await trial.crowd(2)
    async with trial.queue():
        for leaver in leavers:
            await leaver.join()
            await leaver.leave()
        await together(*(person.join for person in late))
        await trial.observe(late, trial.patience)
        await trial.observe(leavers, 0.0)
    if not trial.check().findings:
        await _race(trial)


async def _race(trial: Trial) -> None:
    met = 0
    rounds = [await trial.crowd(3) for _ in range(RACES)]
    async with trial.queue():
        for leaver, rival, witness in rounds:
            await leaver.join()
            await trial.observe([leaver], 0.0)
            await together(leaver.leave, rival.join)
            await trial.observe([leaver, rival], SETTLE)
            await witness.join()
            await trial.observe([leaver, rival, witness], SETTLE)
            await trial.retire([leaver, rival, witness])
            met += _overlap(trial.ops, leaver.user, rival.user)
    if not met:
        raise Inconclusive(f"a cancel never ran side by side with a join in {RACES} attempts")


def _overlap(ops: list[Op], leaver: str, rival: str) -> bool:
    """Whether the first accepted leave of one and the first join of the other were under way at one moment."""
    leave = next((op for op in ops if op.user == leaver and op.op == "leave"), None)
    join = next((op for op in ops if op.user == rival and op.op == "join"), None)
    if leave is None or join is None or leave.t1 is None or join.t1 is None:
        return False
    return max(leave.t0, join.t0) < min(leave.t1, join.t1)
