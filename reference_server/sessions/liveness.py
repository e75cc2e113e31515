"""Who is there: open sockets and signs of life, told to the engine."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID


class Liveness(Protocol):
    """Hears of every sign of life. Methods are plain calls that never block; the work happens in tasks of its own."""

    def seen(self, user: UUID) -> None:
        """The user polled, joined, or his socket sent something."""

    def socket_opened(self, user: UUID, socket: int) -> None:
        """A socket of this user (`socket` is its number in this process) speaks for him from now on."""

    def socket_closed(self, user: UUID, socket: int) -> None:
        """That socket is gone, cleanly or not."""
