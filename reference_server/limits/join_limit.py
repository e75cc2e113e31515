"""How often one user may join: counted in the database for all instances, remembered here against floods."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

REMEMBERED = 10_000
"""Refusals that are kept before those that are over are forgotten."""


class TooManyJoins(Exception):
    """A join that came too often: it took no effect. `retry_after` is in whole seconds, at least 1."""

    def __init__(self, seconds: float) -> None:
        super().__init__("Too many attempts. Please wait.")
        self.retry_after = max(1, math.ceil(seconds))


@dataclass(slots=True)
class JoinLimit:
    """At most `limit` joins of one user in any `window` seconds (document, section 13); 0: as many as he likes.

    The database counts (`limits.sql`), in the statement that carries out the joins. What it has refused is refused here
    until then, without asking it again: a flood costs nobody else a thing. `now` is a monotonic clock.
    """

    limit: int
    window: float
    now: Callable[[], float]
    _refused: dict[UUID, float] = field(default_factory=dict)

    def check(self, user: UUID) -> None:
        """Raises TooManyJoins for a user who is known to have joined too often."""
        until = self._refused.get(user)
        if until is None:
            return
        left = until - self.now()
        if left > 0:
            raise TooManyJoins(left)
        del self._refused[user]

    def refuse(self, user: UUID, seconds: float) -> TooManyJoins:
        """Notes that the database lets this user's next join through in so many seconds, and returns the refusal."""
        if len(self._refused) >= REMEMBERED:
            now = self.now()
            self._refused = {other: until for other, until in self._refused.items() if until > now}
        self._refused[user] = self.now() + seconds
        return TooManyJoins(seconds)
