"""The contended load: users who join at one moment, again and again, until every requirement of races was broken."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from conformance.outcome import Inconclusive
from conformance.trial import SETTLE, Trial
from harness.client.participant import JoinReply, Participant
from harness.history.op import Via

RACES = frozenset({"MM-S1", "MM-L2", "MM-L3"})
"""The requirements that this load is made for (MM-L6 is judged from it, too)."""


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst: how many wait already, how many then join, and within how many seconds."""

    early: int
    size: int
    within: float = 0.0

    async def join(self, crowd: list[Participant]) -> None:
        """Lets those who wait already join first, then the others, evenly over the time.

        Raises:
            Inconclusive: not one join was accepted.
        """
        replies = await asyncio.gather(*(person.join() for person in crowd[: self.early]))
        start = asyncio.get_running_loop().time() + SETTLE
        rest = enumerate(crowd[self.early :])
        replies += await asyncio.gather(
            *(_join_at(person, start + self.within * at / self.size) for at, person in rest)
        )
        if not any(reply.ok for reply in replies):
            raise Inconclusive(f"of {len(crowd)} joins not one was accepted")


BURSTS = (
    Burst(0, 32, 0.2), Burst(1, 31), Burst(0, 2), Burst(1, 31, 0.1), Burst(0, 32, 0.2), Burst(0, 2), Burst(0, 32),
)  # fmt: skip
"""Spread over a moment, one is taken while his own search is still under way; all at one instant, searches stand in
each other's way; of two alone, whoever is overlooked has nobody else to wake him."""


async def contended_bursts(trial: Trial) -> None:
    """Bursts of joins, each followed by a quiet time in which everybody looks for his match.

    Ends early when every chosen requirement of races is broken: more bursts would show the same again.
    """
    wanted = RACES & trial.stage.chosen
    crowds = [await trial.crowd(burst.early + burst.size, part=str(at)) for at, burst in enumerate(BURSTS, 1)]
    for at, (burst, crowd) in enumerate(zip(BURSTS, crowds, strict=True), 1):
        async with trial.queue():
            await burst.join(crowd)
            quiet = trial.recorder(str(at)).begin("", "", "drain", Via.SELF)
            await trial.observe(crowd, trial.patience)
            quiet.ok()
        if wanted and all(trial.check(requirement).findings for requirement in wanted):
            return


async def _join_at(person: Participant, moment: float) -> JoinReply:
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))
    return await person.join()
