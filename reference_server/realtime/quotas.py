"""A plan's ceilings as one instance counts against them (PROTOCOL 1.8); the clock is given."""

from __future__ import annotations

from collections.abc import Callable

from reference_server.plans import Plan, RateCounter

MOST_CHANNELS = 1_000
"""Channels of one socket where the plan says nothing."""
TOO_MANY_USERS = "Too many connected users"
TOO_MANY_JOINS = "Too many joins per second"
TOO_MANY_MESSAGES = "Too many messages per second"
TOO_MANY_PRESENCES = "Too many presence messages per second"


class JoinFlood(Exception):
    """More joins than the plan allows: the whole socket goes."""


class Quotas:
    """What is counted, and what is over its ceiling.

    Rates are counted by each instance for itself, as the real server does; connections by all of them together:
    `elsewhere` is how many the others have.
    """

    def __init__(self, plan: Plan, now: Callable[[], float], elsewhere: Callable[[], int] = lambda: 0) -> None:
        self.plan = plan
        self.joins = RateCounter(plan.joins_per_second, now)
        self.messages = RateCounter(plan.messages_per_second, now)
        self.presences = RateCounter(plan.presence_per_second, now)
        self.changes = RateCounter(plan.messages_per_second, now)
        self.changes_skipped = 0
        self._users: set[int] = set()
        self._elsewhere = elsewhere

    @property
    def users(self) -> int:
        """Sockets of this instance that have joined a channel: they count until they close."""
        return len(self._users)

    @property
    def full(self) -> bool:
        """Whether no further socket may join."""
        most = self.plan.connections
        return most is not None and len(self._users) + self._elsewhere() >= most

    def admit(self, socket: int, channels: int) -> str | None:
        """Judges a join by a socket that has so many channels; returns the reason of a refusal (PROTOCOL 1.7).

        Raises:
            JoinFlood: too many joins per second.
        """
        if socket not in self._users and self.full:
            return f"ConnectionRateLimitReached: {TOO_MANY_USERS}"
        if self.joins.exceeded:
            raise JoinFlood(f"ClientJoinRateLimitReached: {TOO_MANY_JOINS}")
        self.joins.add()
        if channels >= (self.plan.channels_per_connection or MOST_CHANNELS):
            return "ChannelRateLimitReached: Too many channels"
        return None

    def joined(self, socket: int) -> None:
        """The socket has a channel."""
        self._users.add(socket)

    def gone(self, socket: int) -> None:
        """The socket has closed."""
        self._users.discard(socket)

    def takes_broadcast(self, size: int) -> bool:
        """Whether a payload of so many bytes may be broadcast (the real server allows 500 bytes for its wrapping)."""
        return size <= self.plan.broadcast_kilobytes * 1000 + 500

    def take_presence(self) -> bool:
        """Counts a presence message; False where there are too many."""
        if self.presences.exceeded:
            return False
        self.presences.add()
        return True

    def take_change(self) -> bool:
        """Counts a database change on its way to a channel; False where it must be skipped, silently."""
        if self.changes.exceeded:
            self.changes_skipped += 1
            return False
        self.changes.add()
        return True
