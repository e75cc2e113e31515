"""What the users of one load generator cost in memory: how much it grew while the most of them were there."""

from __future__ import annotations

from collections.abc import Callable

import psutil

ENOUGH = 200
"""With fewer users there at once the growth is that of the program, and not of its users."""


def resident() -> int:
    """Bytes that this process has in memory."""
    return int(psutil.Process().memory_info().rss)


class UsersMemory:
    """Reads the memory of its process before anybody comes, and again and again while they are there.

    Args:
        read: bytes that the process has in memory.
    """

    def __init__(self, read: Callable[[], int] = resident) -> None:
        self._read = read
        self._before = read()
        self._now = self._before
        self._most = 0
        self._grown = 0

    def note(self, users: int) -> None:
        """So many users are there at this moment."""
        self._now = self._read()
        if users >= max(self._most, ENOUGH):
            before = self._grown if users == self._most else 0
            self._most, self._grown = users, max(before, self._now - self._before)

    def figures(self) -> dict[str, float | None]:
        """The memory in megabytes; and its growth by each user in kilobytes, None where there were too few."""
        by_user = self._grown / self._most / 1000 if self._most else None
        return {"memory_mb": self._now / 1e6, "kb_per_user": by_user}
