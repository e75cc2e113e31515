"""A circle of friends: who comes befriends some of those who came shortly before him."""

from __future__ import annotations

import asyncio
import random

from harness.client.participant import Participant

_NEAR = 3
"""Friends are chosen among so many times as many as are wanted: those who came last, who will search soon."""


class Circle:
    """All users of one process who are there and may be befriended, in the order of their coming."""

    def __init__(self) -> None:
        self._here: list[Participant] = []

    async def welcome(self, newcomer: Participant, wanted: int, seed: int) -> int:
        """Takes somebody in; returns how many friends he has made. Those who failed are not tried again."""
        near = self._here[-_NEAR * wanted :]
        chosen = random.Random(f"{seed}/friends").sample(near, min(wanted, len(near)))
        self._here.append(newcomer)
        made = await asyncio.gather(*(newcomer.befriend(friend) for friend in chosen))
        return sum(made)

    def leave(self, participant: Participant) -> None:
        """He is no longer there. May be called twice."""
        if participant in self._here:
            self._here.remove(participant)
