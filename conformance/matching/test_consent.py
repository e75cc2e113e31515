"""MM-S4: only those who asked are matched."""

from __future__ import annotations

from conformance.scenario import requires
from conformance.trial import SETTLE, Trial, together

SEEKERS = 8


@requires("MM-S4")
async def test_mm_s4_only_those_who_asked(trial: Trial) -> None:
    """Some are only there, one has cancelled, two are talking; then others join at once. They meet only one another."""
    bystander, sleeper, leaver, first, second = await trial.crowd(5)
    seekers = await trial.crowd(SEEKERS)
    await trial.listen(bystander)
    async with trial.queue():
        await leaver.join()
        await trial.observe([leaver], SETTLE)
        await leaver.leave()
        await trial.pair(first, second)
        await together(*(seeker.join for seeker in seekers))
        await trial.observe(seekers, trial.patience)
        await trial.observe([bystander, sleeper, leaver, first, second], 0.0)
