"""MM-S8: an ended session stays ended."""

from __future__ import annotations

from conformance.scenario import requires
from conformance.trial import SETTLE, Trial

LOOKS = 3


@requires("MM-S8")
async def test_mm_s8_over_is_over(trial: Trial) -> None:
    """Two sessions end: one is hung up, one is abandoned by a member who joins anew. Neither comes back.

    Their members look for a match, join again, and ask for the old session by its id.
    """
    first, second, third, fourth = await trial.crowd(4)
    async with trial.queue():
        hung_up = await trial.pair(first, second)
        await first.end(hung_up.id)
        await trial.observe([first, second], SETTLE)
        await trial.pair(second, first)
        abandoned = await trial.pair(third, fourth)
        await third.join()
        await trial.observe([third], trial.patience)
        await fourth.join()
        for _ in range(LOOKS):
            await trial.observe([first, second, third, fourth], SETTLE)
        for person, session in ((first, hung_up), (second, hung_up), (third, abandoned), (fourth, abandoned)):
            await person.look(session.id)
