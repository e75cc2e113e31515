"""Remembers what a function answered, for as long as it is asked again: what nobody asks for goes after a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

IDLE = 60.0
"""Seconds that an answer is kept after it was asked for last, at least; it is gone after twice as many."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """The function with a memory of at most `most` answers. What it raises is not remembered.

    Users come and go: a memory that is bounded by a number alone grows until so many have come, an hour or a day later.
    There are two halves. What is asked for stands in the young one; when `IDLE` seconds are over, or it is full, the
    young one is the old one, and what is in that still is forgotten.
    """

    def __init__(
        self, function: Callable[[Key], Value], most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._function = function
        self._half = most // 2
        self._clock = clock
        self._young: dict[Key, Value] = {}
        self._old: dict[Key, Value] = {}
        self._turn = clock() + IDLE

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __call__(self, key: Key) -> Value:
        """What the function answers to the key, now or when it was asked before."""
        try:
            return self._young[key]
        except KeyError:
            pass
        now = self._clock()
        if now >= self._turn or len(self._young) >= self._half:
            # Of two turns that were missed, nothing of before is left.
            self._old, self._young = ({} if now >= self._turn + IDLE else self._young), {}
            self._turn = now + IDLE
        try:
            value = self._old.pop(key)
        except KeyError:
            value = self._function(key)
        self._young[key] = value
        return value
