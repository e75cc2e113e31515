"""Looks at a target's metrics again and again, so that a stretch of time can be cut out afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.lab.metrics import Sample, between, scraped
from harness.target import Target

_EVERY = 0.5


class Looks:
    """The samples of a target, each with its moment: seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._taken: list[tuple[float, Sample]] = []

    def took(self, moment: float, sample: Sample | None) -> None:
        """Keeps a sample; one that could not be taken is none."""
        if sample is not None:
            self._taken.append((moment, sample))

    def during(self, start: float, end: float) -> dict[str, float]:
        """What the target did from the last look before `start` to the first after `end`; empty without two looks."""
        if len(self._taken) < 2:
            return {}
        before = max((taken for taken in self._taken if taken[0] <= start), default=self._taken[0], key=lambda t: t[0])
        after = min((taken for taken in self._taken if taken[0] >= end), default=self._taken[-1], key=lambda t: t[0])
        return between(before[1], after[1]) if after[0] > before[0] else {}


@asynccontextmanager
async def watching(target: Target) -> AsyncIterator[Looks]:
    """Takes a sample twice a second while the block lasts, and one at its end."""
    looks = Looks()

    async def look() -> None:
        while True:
            looks.took(time.monotonic(), await scraped(target))
            await asyncio.sleep(_EVERY)

    task = asyncio.create_task(look())
    try:
        yield looks
    finally:
        task.cancel()
        await asyncio.wait([task])
    looks.took(time.monotonic(), await scraped(target))
