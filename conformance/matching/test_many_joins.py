"""MM-S7: however often one user joins, he has one entry and gets one session."""

from __future__ import annotations

from functools import partial

from conformance.scenario import requires
from conformance.trial import Trial, together
from harness.client.participant import Participant

ROUNDS = 6
TIMES = 4
OTHERS = 5


@requires("MM-S7")
async def test_mm_s7_many_joins_one_entry(trial: Trial) -> None:
    """An impatient user joins many times, then others join at once: he is given one of them, not two.

    His joins come all at once in every third round, and one right after the other in the rest.
    """
    rounds = [await trial.crowd(1 + OTHERS) for _ in range(ROUNDS)]
    async with trial.queue():
        for number, (impatient, *others) in enumerate(rounds):
            await _join_often(impatient, at_once=number % 3 == 2)
            await together(*(other.join for other in others))
            await trial.observe([impatient, *others], trial.patience)
            await trial.observe([impatient, *others], 0.0)
            if trial.check().findings:
                return
            await trial.retire([impatient, *others])


async def _join_often(person: Participant, *, at_once: bool) -> None:
    """A target that refuses so many joins of one user (429) has done its part: nobody waits for the next one."""
    if at_once:
        await together(*[partial(person.join, wait_out_limits=False)] * TIMES)
        return
    for _ in range(TIMES):
        await person.join(wait_out_limits=False)
