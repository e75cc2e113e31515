"""Signs of life, kept in memory until they matter: a user shows life every few seconds, and for minutes."""

from __future__ import annotations

import math
from uuid import UUID


class SignsOfLife:
    """The last sign of each user, and which of his signs was last written.

    A sign is due when the written one is `every` seconds old: it goes with whatever is written next. A younger one
    changes nothing yet; when its user shows no other, it is due at the first `settle` after that time. So an entry
    lives as if each sign had been written at once, provided that `every` and the time between two calls of `settle`
    together are shorter than its life. Times are seconds of one clock.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._due: dict[UUID, float] = {}
        self._held: dict[UUID, float] = {}
        self._written: dict[UUID, float] = {}

    def show(self, user: UUID, now: float) -> None:
        """The user has shown life."""
        if now - self._written.get(user, -math.inf) >= self._every:
            self._held.pop(user, None)
            self._due[user] = now
        else:
            self._held[user] = now

    def settle(self, now: float) -> bool:
        """Makes due what was held for long enough; whether anything is due."""
        oldest = now - self._every
        self._written = {user: at for user, at in self._written.items() if at > oldest}
        for user in [user for user in self._held if user not in self._written]:
            self._due[user] = self._held.pop(user)
        return bool(self._due)

    def take(self) -> dict[UUID, float]:
        """The signs that are due. They count as written, unless they are put back."""
        due, self._due = self._due, {}
        self._written |= due
        return due

    def put_back(self, signs: dict[UUID, float]) -> None:
        """These could not be written: they are due, or a later one of the same user is."""
        for user, at in signs.items():
            self._written.pop(user, None)
            self._due[user] = max(at, self._due.get(user, at), self._held.pop(user, at))
