"""The crowd of one generator process: its arrivals are prepared in time, started when due, and all accounted for."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from harness.actor.journey import Journey, Span
from harness.actor.scene import Scene
from harness.actor.virtual_user import VirtualUser
from harness.client.dialect import NotAdmitted
from harness.load.arrivals import Arrival
from harness.load.telling import Tally

log = logging.getLogger(__name__)

_DOORS = 16
"""How many users sign up at the same moment, at most."""
_GIVE_UP = 15.0
"""How long after the last due time an arrival that nobody has taken counts as dropped."""


class Crowd:
    """Starts users when they are due. Each call of `play_next` plays one; `supervise` ends it all.

    Args:
        scene: what the users share.
        arrivals: this process's share of the schedule.
        lead: how long before he is due a user signs up and opens his socket, at most; in seconds.
        drain: length of the quiet time at the end, in seconds.
    """

    def __init__(self, scene: Scene, arrivals: Sequence[Arrival], *, lead: float, drain: float) -> None:
        self.tally = Tally(len(arrivals))
        self._scene = replace(scene, report=self._noted)
        self._report = scene.report
        self._arrivals = list(arrivals)
        self._next = 0
        self._lead = lead
        self._drain = drain
        self._starts_at = scene.recorder.now() + lead
        self._doors = asyncio.Semaphore(_DOORS)
        self._all_in = asyncio.Event()
        self._all_out = asyncio.Event()
        if not arrivals:
            self._all_in.set()
            self._all_out.set()

    async def play_next(self) -> Journey | None:
        """Takes the next arrival and plays it to its end.

        Returns:
            How far he came; None when he could not enter, or when there was no arrival left.
        """
        if self._next >= len(self._arrivals):
            return None
        arrival = self._arrivals[self._next]
        self._next += 1
        try:
            return await self._play(arrival)
        finally:
            self._left(1)

    @property
    def exhausted(self) -> bool:
        """Whether every arrival has been taken."""
        return self._next >= len(self._arrivals)

    async def supervise(self, everybody_in: Callable[[], Awaitable[None]] | None = None) -> None:
        """Waits until all have joined, keeps the quiet time, and waits until all have gone.

        Args:
            everybody_in: is awaited before the quiet time starts (other processes may still have arrivals).
        """
        last = self._starts_at + (self._arrivals[-1].due if self._arrivals else 0.0)
        try:
            async with asyncio.timeout(last + _GIVE_UP - self._scene.recorder.now()):
                await self._all_in.wait()
        except TimeoutError:
            self._drop_the_rest()
            await self._all_in.wait()
        if everybody_in is not None:
            await everybody_in()
        await self._scene.quiet.hold(self._scene.recorder, self._drain)
        await self._all_out.wait()

    async def _play(self, arrival: Arrival) -> Journey | None:
        due = self._starts_at + arrival.due
        try:
            user = await self._enter(arrival, due)
        except NotAdmitted as refusal:
            log.warning("user %d could not enter: %s", arrival.n, refusal)
            self._dropped(1)
            return None
        except BaseException:
            self._dropped(1)  # also one of whom we do not know why: nobody waits for him
            raise
        try:
            journey = await user.play(due, self._joined)
        finally:
            await user.close()
        self.tally.latest = max(self.tally.latest, journey.late)
        return journey

    async def _enter(self, arrival: Arrival, due: float) -> VirtualUser:
        """Brings a user in, at a moment of his own within the lead, so that a burst does not sign up as a burst."""
        lead = self._lead * random.Random(arrival.seed).uniform(0.4, 1.0)
        await asyncio.sleep(max(0.0, due - lead - self._scene.recorder.now()))
        async with self._doors:
            return await VirtualUser.enter(self._scene, arrival.seed)

    def _noted(self, span: Span) -> None:
        """Counts matches as they are seen, and passes the span on."""
        if span.name == "match":
            self.tally.matched += not span.error
            self.tally.unmatched += bool(span.error)
        self._report(span)

    def _joined(self) -> None:
        self.tally.started += 1
        self._note_arrival()

    def _dropped(self, users: int) -> None:
        self.tally.dropped += users
        self._note_arrival()

    def _note_arrival(self) -> None:
        if self.tally.started + self.tally.dropped >= self.tally.offered:
            self._all_in.set()

    def _left(self, users: int) -> None:
        self.tally.finished += users
        if self.tally.finished >= self.tally.offered:
            self._all_out.set()

    def _drop_the_rest(self) -> None:
        rest = len(self._arrivals) - self._next
        self._next = len(self._arrivals)
        if rest:
            log.warning("%d arrivals found nobody to start them", rest)
            self._dropped(rest)
            self._left(rest)
