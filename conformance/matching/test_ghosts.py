"""MM-S5: nobody is matched with somebody who went away long ago."""

from __future__ import annotations

import asyncio

from conformance.scenario import requires
from conformance.trial import Trial


@requires("MM-S5")
async def test_mm_s5_no_match_with_a_ghost(trial: Trial) -> None:
    """A user joins and goes away without a word. When his time to live is over, somebody else joins: he stays alone.

    Then a third joins: that those two meet shows that the newcomer was matched with nobody because nobody was there.
    """
    ghost, newcomer, third = await trial.crowd(3)
    async with trial.queue():
        await ghost.join()
        await ghost.poll()
        await trial.vanish(ghost, "close")
        await asyncio.sleep(trial.budgets.queue_ttl + 2 * trial.budgets.tolerance)
        await newcomer.join()
        await trial.observe([newcomer], trial.budgets.match)
        await third.join()
        await trial.observe([newcomer, third], trial.patience)
