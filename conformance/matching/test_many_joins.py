"""MM-S7: however often one user joins, he has one entry and gets one session."""

from __future__ import annotations

from conformance.scenario import requires
from conformance.trial import Trial, together

ROUNDS = 6
TIMES = 4
OTHERS = 3


@requires("MM-S7")
async def test_mm_s7_many_joins_one_entry(trial: Trial) -> None:
    """An impatient user sends several joins at once, then three others do: he is given one of them, not two."""
    rounds = [await trial.crowd(1 + OTHERS) for _ in range(ROUNDS)]
    async with trial.queue():
        for impatient, *others in rounds:
            await together(*[impatient.join] * TIMES)
            await together(*(other.join for other in others))
            await trial.observe([impatient, *others], trial.patience)
            await trial.observe([impatient, *others], 0.0)
            if trial.check().findings:
                return
            await trial.retire([impatient, *others])
