"""What the engines tell of themselves, turned into metrics."""

from __future__ import annotations

import time
from collections import OrderedDict
from uuid import UUID

from reference_server.telemetry.metrics import Metrics

REMEMBERED = 100_000
"""Users whose joins are remembered at most; the oldest are forgotten first."""


class MatchingMetrics:
    """The Observer of an engine."""

    def __init__(self, metrics: Metrics) -> None:
        self._latency = metrics.latency.observe
        self._batch_joins = metrics.batch_joins.observe
        self._batch_duration = metrics.batch_duration.observe
        self._lock_wait = metrics.lock_wait.observe
        self._find_match = metrics.find_match_duration.observe
        self._busy = metrics.busy.inc
        self._since: OrderedDict[UUID, float] = OrderedDict()

    def matched(self, waited: float) -> None:
        """A user was matched, so many seconds after his join."""
        self._latency(waited * 1000)

    def batch(self, joins: int, seconds: float, lock_wait: float) -> None:
        """A batch has committed."""
        self._batch_joins(joins)
        self._batch_duration(seconds)
        self._lock_wait(lock_wait)

    def entered(self, user: UUID) -> None:
        """A user waits from now on, and will be told of as one of a pair."""
        self._since[user] = time.perf_counter()
        self._since.move_to_end(user)
        if len(self._since) > REMEMBERED:
            self._since.popitem(last=False)

    def left(self, user: UUID) -> None:
        """He does not wait any more."""
        self._since.pop(user, None)

    def paired(self, *users: UUID) -> None:
        """These have been matched; who entered elsewhere is not counted."""
        now = time.perf_counter()
        for user in users:
            since = self._since.pop(user, None)
            if since is not None:
                self.matched(now - since)

    def find_match(self, seconds: float, *, busy: bool) -> None:
        """A call of `find_match` has ended."""
        self._find_match(seconds)
        if busy:
            self._busy()
