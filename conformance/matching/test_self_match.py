"""MM-S2: nobody is matched with himself."""

from __future__ import annotations

from conformance.scenario import requires
from conformance.trial import SETTLE, Trial, together

ROUNDS = 2
"""Five joins each: where ten a minute are allowed, nobody has to wait for more."""


@requires("MM-S2")
async def test_mm_s2_nobody_meets_himself(trial: Trial) -> None:
    """One user joins from two devices at once, again from both in turn, and after a quick leave: he stays alone.

    Then somebody else joins: that the two meet shows that the target does match the one who was kept waiting.
    """
    phone = await trial.enter("phone")
    laptop = await trial.enter("laptop", phone.account)
    other = await trial.enter()
    async with trial.queue():
        for _ in range(ROUNDS):
            await together(phone.join, laptop.join)
            await phone.join()
            await laptop.leave()
            await together(laptop.join, phone.join)
            await trial.observe([phone, laptop], SETTLE)
        await trial.observe([phone, laptop], trial.budgets.match)
        await other.join()
        await trial.observe([phone, laptop, other], trial.patience)
