"""The crowd of one generator process: its arrivals are prepared in time, started when due, and all accounted for."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

from harness.actor.journey import Journey, Span
from harness.actor.persona import Persona
from harness.actor.scene import Scene
from harness.actor.virtual_user import VirtualUser
from harness.client.dialect import NotAdmitted
from harness.load.arrivals import Arrival, Schedule
from harness.load.telling import Tally

log = logging.getLogger(__name__)

Weighted = tuple[Persona, float]
"""A persona, and how often it comes in proportion to the others."""

_DOORS = 32
"""How many users sign up at the same moment, at most."""
_GIVE_UP = 15.0
"""How long after the last due time an arrival that nobody has taken counts as dropped."""


class Crowd:
    """Starts users when they are due. Each call of `play_next` plays one; `supervise` ends it all.

    Args:
        scene: what the users share.
        share: this process's part of the schedule.
        mix: what the users play, each persona with its weight; empty: what the scene says.
        lead: how long before he is due a user signs up and opens his socket, at most; in seconds.
        drain: length of the quiet time at the end, in seconds.
    """

    def __init__(
        self, scene: Scene, share: Schedule, mix: Sequence[Weighted] = (), *, lead: float, drain: float
    ) -> None:
        self._closed = share.closed
        self.tally = Tally(0 if self._closed else len(share.arrivals))
        self._scene = replace(scene, report=self._noted, mixed=len(mix) > 1)
        self._scenes = [replace(self._scene, persona=persona) for persona, _ in mix] or [self._scene]
        self._weights = [weight for _, weight in mix] or [1.0]
        self._report = scene.report
        self._arrivals = share.arrivals
        self._next = 0
        self._shut = not share.arrivals
        self._room = asyncio.Semaphore(self._closed.users) if self._closed else nullcontext()
        self._lead = lead
        self._drain = drain
        self._starts_at = scene.recorder.now() + lead
        self._doors = asyncio.Semaphore(_DOORS)
        self.present = 0
        """How many users are signed in and not yet through."""
        self._all_in = asyncio.Event()
        self._all_out = asyncio.Event()
        self._note()

    async def play_next(self) -> Journey | None:
        """Takes the next arrival and plays it to its end; in a closed model, as soon as there is room for him.

        Returns:
            How far he came; None when he could not enter, or when there was no arrival left.
        """
        async with self._room:
            if self.exhausted:
                return None
            arrival = self._take()
            try:
                return await self._play(arrival)
            finally:
                self._left(1)

    @property
    def exhausted(self) -> bool:
        """Whether nobody will come any more."""
        return self._shut or self._next >= len(self._arrivals)

    @property
    def closed(self) -> bool:
        """Whether the model is closed."""
        return self._closed is not None

    def _take(self) -> Arrival:
        arrival = self._arrivals[self._next]
        self._next += 1
        self.tally.offered += bool(self._closed)
        return arrival

    async def supervise(self, everybody_in: Callable[[], Awaitable[None]] | None = None) -> None:
        """Waits until all have joined, keeps the quiet time, and waits until all have gone.

        Args:
            everybody_in: is awaited before the quiet time starts (other processes may still have arrivals).
        """
        weather = asyncio.create_task(self._weather())
        try:
            await self._everybody_has_joined()
            if everybody_in is not None:
                await everybody_in()
            await self._scene.quiet.hold(self._scene.recorder, self._drain)
            await self._all_out.wait()
        finally:
            weather.cancel()
            await asyncio.gather(weather, return_exceptions=True)

    async def _everybody_has_joined(self) -> None:
        """Waits until all have joined; who is due and finds no room for too long is not waited for."""
        try:
            async with asyncio.timeout(self._patience()):
                await self._all_in.wait()
        except TimeoutError:
            self._close_the_door()
            await self._all_in.wait()

    async def _weather(self) -> None:
        """Lets the storm of the scene blow, where a persona asks for one, from the first due time on."""
        asked = [scene.persona.storm for scene in self._scenes if scene.persona.storm is not None]
        if asked:
            await asyncio.sleep(self._starts_at - self._scene.recorder.now())
            await self._scene.storm.blow(min(asked), self._scene.quiet)

    def _patience(self) -> float | None:
        """Seconds after which nobody new is let in: some time after the last was due, or when a closed model ends."""
        if self._closed is None:
            last = self._arrivals[-1].due if self._arrivals else 0.0
            return self._starts_at + last + _GIVE_UP - self._scene.recorder.now()
        until = self._starts_at + self._closed.until - self._scene.recorder.now()
        return None if math.isinf(until) else until

    async def _play(self, arrival: Arrival) -> Journey | None:
        due = self._scene.recorder.now() if self._closed else self._starts_at + arrival.due
        try:
            user = await self._enter(arrival, due)
        except NotAdmitted as refusal:
            log.warning("user %d could not enter: %s", arrival.n, refusal)
            self._dropped(1)
            return None
        except BaseException:
            self._dropped(1)  # also one of whom we do not know why: nobody waits for him
            raise
        self.present += 1
        try:
            journey = await user.play(self._scene.recorder.now() if self._closed else due, self._joined)
        finally:
            self.present -= 1
            await user.close()
        self.tally.latest = max(self.tally.latest, journey.late)
        return journey

    async def _enter(self, arrival: Arrival, due: float) -> VirtualUser:
        """Brings a user in, at a moment of his own within the lead, so that a burst does not sign up as a burst."""
        lead = self._lead * random.Random(arrival.seed).uniform(0.4, 1.0)
        await asyncio.sleep(max(0.0, due - lead - self._scene.recorder.now()))
        async with self._doors:
            return await VirtualUser.enter(self._cast(arrival), arrival.seed)

    def _cast(self, arrival: Arrival) -> Scene:
        """The scene with the persona that falls to this arrival; the same in every run of one seed."""
        chance = random.Random(f"{arrival.seed}/persona")
        return chance.choices(self._scenes, self._weights)[0]

    def _noted(self, span: Span) -> None:
        """Counts matches as they are seen, and passes the span on."""
        if span.name == "match":
            self.tally.matched += not span.error
            self.tally.unmatched += bool(span.error)
        self._report(span)

    def _joined(self) -> None:
        self.tally.started += 1
        self._note()

    def _dropped(self, users: int) -> None:
        self.tally.dropped += users
        self._note()

    def _left(self, users: int) -> None:
        self.tally.finished += users
        self._note()

    def _note(self) -> None:
        """Looks whether all are in, and whether all are out."""
        if self.exhausted and self.tally.started + self.tally.dropped >= self.tally.offered:
            self._all_in.set()
        if self.exhausted and self.tally.finished >= self.tally.offered:
            self._all_out.set()

    def _close_the_door(self) -> None:
        """Nobody comes any more; who was due and found no room is counted as dropped."""
        self._shut = True
        rest = 0 if self._closed else len(self._arrivals) - self._next
        if rest:
            log.warning("%d arrivals found nobody to start them", rest)
            self._dropped(rest)
            self._left(rest)
        self._note()
