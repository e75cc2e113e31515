"""The contended load: users who join at one moment, again and again, until every requirement of races was broken."""

from __future__ import annotations

from conformance.trial import SETTLE, Trial, together
from harness.history.op import Via

RACES = frozenset({"MM-S1", "MM-L2", "MM-L3"})
"""The requirements that are judged from this load."""
BURSTS = ((1, 31), (0, 32), (0, 2), (1, 31), (0, 2), (0, 32))
"""Of each burst: who waits already, and how many join at one moment. Two alone are the sharpest race: whoever is
overlooked has nobody else to wake him."""


async def contended_bursts(trial: Trial) -> None:
    """Bursts of joins, each followed by a quiet time in which everybody looks for his match.

    Ends early when every chosen requirement of races is broken: more bursts would show the same again.
    """
    wanted = RACES & trial.stage.chosen
    crowds = [await trial.crowd(early + size) for early, size in BURSTS]
    for crowd, (early, _) in zip(crowds, BURSTS, strict=True):
        async with trial.queue():
            await together(*(person.join for person in crowd[:early]))
            await trial.observe(crowd[:early], SETTLE)
            await together(*(person.join for person in crowd[early:]))
            quiet = trial.recorder.begin("", "", "drain", Via.SELF)
            await trial.observe(crowd, trial.patience)
            quiet.ok()
        if all(trial.check(requirement).findings for requirement in wanted):
            return
