"""A flood: one user who joins as often as he can, and what he is answered."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.outcome import NotVerified
from conformance.trial import Trial
from conformance.wire.http import Reply
from harness.client.participant import Participant

JOINS = 24
"""Joins of one flood, at once: more than twice what the document allows in a minute."""
ALLOWED = 10
"""Joins of one user in a minute (document, section 13)."""
BODY = {"matchMode": "global"}


@dataclass(frozen=True, slots=True)
class Flood:
    """A flood of one user: its replies, and the seconds from its first join to its last answer."""

    replies: Sequence[Reply]
    seconds: float

    @property
    def accepted(self) -> list[Reply]:
        """Joins that were taken."""
        return [reply for reply in self.replies if 200 <= reply.status < 300]

    @property
    def refused(self) -> list[Reply]:
        """Joins that were answered 429."""
        return [reply for reply in self.replies if reply.status == 429]

    @property
    def wait(self) -> float:
        """Seconds after which the user may join again, by the last refusal."""
        asked = self.refused[-1].headers.get("retry-after", "")
        return float(asked) if asked.isdigit() else math.inf


async def join(trial: Trial, person: Participant, token: str = "") -> Reply:
    """One join, whose refusal is an answer like any other."""
    return await trial.http.matching("join", token or person.account, body=BODY, wait_out=False)


async def flood(trial: Trial, person: Participant) -> Flood:
    """The user joins often, at once. To be called with the queue to ourselves.

    The first join is the SDK's, so that the trial takes him out of the queue again.
    """
    started = asyncio.get_running_loop().time()
    await person.join(wait_out_limits=False)
    replies = await asyncio.gather(*(join(trial, person) for _ in range(JOINS - 1)))
    return Flood(replies, asyncio.get_running_loop().time() - started)


async def limited(trial: Trial, person: Participant) -> Flood:
    """A flood after which the user is out of the queue and may not join. Raises NotVerified where there is no limit."""
    made = await flood(trial, person)
    await trial.retire([person])
    if not made.refused:
        raise NotVerified(f"the target does not limit joins: of {JOINS} at once none was answered 429 (see LIM-1)")
    return made


async def barely_limited(trial: Trial, person: Participant) -> None:
    """The user joins until he is refused once, and is out of the queue then. Raises NotVerified as `limited` does."""
    await person.join(wait_out_limits=False)
    for _ in range(JOINS):
        if (await join(trial, person)).status == 429:
            await trial.retire([person])
            return
    raise NotVerified(f"the target does not limit joins: of {JOINS} none was answered 429 (see LIM-1)")
