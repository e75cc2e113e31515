"""A rate that changes over time, and the due times that follow from it: pure arithmetic, no clock and no chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some seconds in which the rate goes in a straight line from `first` to `last`, in users per second."""

    first: float
    last: float
    seconds: float = math.inf

    @property
    def users(self) -> float:
        """How many are due within it."""
        return self.first * self.seconds if self.first == self.last else (self.first + self.last) / 2 * self.seconds

    def when(self, users: float) -> float:
        """Seconds after which so many users (not more than there are) have been due.

        The area below the line is `first·t + (last − first)·t²/2·seconds`; this is its inverse, in the form that stays
        exact when the line is flat or starts at nothing.
        """
        if users <= 0 and self.first > 0:
            return 0.0
        slope = 0.0 if self.first == self.last else (self.last - self.first) / self.seconds
        root = self.first + math.sqrt(max(0.0, self.first * self.first + 2 * slope * users))
        return min(self.seconds, 2 * users / root) if root > 0 else 0.0


def dues_of(stretches: Iterable[Stretch], ordinals: Iterator[float]) -> Iterator[float]:
    """When users are due whose ordinals (0, 1, 2 …, or a Poisson process of rate 1) are given, one after the other.

    Ends where the last stretch does: who would be due at its very end belongs to what follows.
    """
    users, start = next(ordinals, None), 0.0
    before = 0.0
    for stretch in stretches:
        while users is not None and users - before < stretch.users:
            yield start + stretch.when(users - before)
            users = next(ordinals, None)
        before += stretch.users
        start += stretch.seconds
