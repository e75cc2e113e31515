"""MM-S5: nobody is matched with somebody who went away long ago."""

from __future__ import annotations

from conformance.outcome import broken
from conformance.scenario import requires
from conformance.trial import Trial
from harness.checkers.telling import short


@requires("MM-S5")
async def test_mm_s5_no_match_with_a_ghost(trial: Trial) -> None:
    """A user joins and goes away without a word. When his time to live is over, somebody else joins: he stays alone.

    Then a third joins: that those two meet shows that the newcomer was matched with nobody because nobody was there.
    """
    ghost, newcomer, third = await trial.crowd(3)
    async with trial.queue():
        await ghost.join()
        if trial.stage.rows is None:
            await ghost.poll()  # else the join is his only sign of life, and it stands in the row that is set back
        await trial.vanish(ghost, "close")
        aged = await trial.grow_old(ghost)
        await newcomer.join()
        seen = await trial.observe([newcomer], trial.budgets.match)
        if aged and seen:  # the history does not tell how old the entry was made
            raise broken(
                "MM-S5",
                sent=f"the entry of user {short(ghost.user)} was set back beyond its time to live, then another joined",
                came=f"he was matched in session {short(seen[newcomer.user].id)}",
                users=(ghost.user, newcomer.user),
                witness=[op for op in trial.ops if op.op in {"join", "poll"}],
            )
        await third.join()
        met = await trial.observe([newcomer, third], trial.patience)
        if aged and len(met) == 2:
            trial.vouch()
