"""Watching: from when to when a user was subscribed, so that a change must have reached him."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from harness.checkers.timeline import UserFacts
from harness.history.op import OK, Op, Via

MATCHES = "matchmaking:"
"""Topics that bring a user his new sessions begin so; `session:<id>` brings what happens to one session."""
_STOPS = frozenset({"disconnect", "lost"})
_CHANGES = _STOPS | {"subscribe", "unsubscribe"}
_WS = Via.WS
_PROOFS = 16
"""So many of his proofs of being connected are looked at, at most."""


class Watch(Struct, frozen=True, gc=False):
    """A subscription that stood from `since` (the database subscription was ready) to `until`."""

    op: Op
    since: float
    until: float


class Watches:
    """All subscriptions of one user, and his proofs of being connected."""

    def __init__(self, user: UserFacts) -> None:
        self._by_topic: dict[str, list[Watch]] = {}
        self._ops = user.ops
        stopped: dict[tuple[str, str], float] = {}
        for op in reversed([op for op in user.ops if op.op in _CHANGES]):
            if op.op in _STOPS:
                stopped = {key: until for key, until in stopped.items() if key[0] != op.device}
                stopped[op.device, ""] = op.t0
            elif op.op == "unsubscribe":
                stopped[op.device, str(op.value.get("topic"))] = op.t0
            elif op.op == "subscribe":
                topic = str(op.value.get("topic"))
                until = min(stopped.get((op.device, topic), math.inf), stopped.get((op.device, ""), math.inf))
                stopped[op.device, topic] = op.t0
                ready = op.value.get("ready")
                if op.outcome is OK and isinstance(ready, int | float):
                    key = MATCHES if topic.startswith(MATCHES) else topic
                    self._by_topic.setdefault(key, []).append(Watch(op, op.t0 + ready, until))
        for watches in self._by_topic.values():
            watches.sort(key=lambda watch: watch.since)

    def standing(self, topic: str, since: float, until: float) -> tuple[Watch, Op] | None:
        """The subscription that stood from `since` to `until`, with an op that shows the user connected thereafter.

        None where there is none, or where nothing shows that its connection lasted so long.
        """
        watches = self._by_topic.get(topic, [])
        at = bisect_right(watches, since, key=lambda watch: watch.since)
        if not at or watches[at - 1].until <= until:
            return None
        watch = watches[at - 1]
        for op in islice(self._heard_since(until), _PROOFS):
            if op.device == watch.op.device and (op.t0 < watch.until or op.op == "unsubscribe"):
                return watch, op
        return None

    def _heard_since(self, since: float) -> Iterator[Op]:
        """What shows that he was connected."""
        for at in range(bisect_left(self._ops, since, key=lambda op: op.t0), len(self._ops)):
            op = self._ops[at]
            if op.via is _WS and op.outcome is OK and op.op not in _STOPS:
                yield op
