"""Tells channels of changes: asks PostgreSQL who sees them, and writes the frames."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from reference_server.db import Connection
from reference_server.realtime.channel import Channel
from reference_server.realtime.delivery import Plan, Seen, plan
from reference_server.realtime.expressions import Matcher
from reference_server.realtime.feed import Feed
from reference_server.realtime.quotas import Quotas
from reference_server.realtime.recent import Inserted
from reference_server.realtime.subscriptions import Binding, Subscription, SubscriptionIndex
from reference_server.realtime.tables import Change

log = logging.getLogger(__name__)

_STANDING = "select * from gurukul.realtime_standing($1, $2, $3)"

Write = Callable[[Channel, str], None]
Begun = Callable[[Channel], None]
"""The channel's subscription is in force from now on."""


class Teller:
    """Tells the channels of `index` of the changes that concern them, and new ones of what was inserted just before."""

    def __init__(self, index: SubscriptionIndex[Channel], quotas: Quotas, write: Write, begun: Begun) -> None:
        self._index = index
        self._quotas = quotas
        self._write = write
        self._begun = begun
        self._matcher = Matcher()
        self._waiting: dict[Channel, tuple[tuple[Binding, ...], int]] = {}

    async def deliver(self, connection: Connection, changes: list[Change]) -> None:
        """Tells a batch of changes to those whom it concerns and who may see it."""
        await self._tell(connection, plan(changes, self._index.interested))

    async def _tell(self, connection: Connection, work: Plan) -> None:
        seen: Seen = set()
        xids = work.xids
        for inquiry in work.inquiries:
            answers = await connection.fetch(inquiry.table.visibility, *inquiry.arguments(xids))
            seen.update(inquiry.seen(answers))
        expressions = work.expressions
        matched = await self._matcher.matching(connection, expressions) if expressions else set()
        standing = await _standing(connection, work)
        for channel, frame in work.frames(seen, matched, standing):
            if self._quotas.take_change():
                self._write(channel, frame)

    # ------------------------------------------------------------ new subscriptions

    def subscribe(self, channel: Channel, bindings: tuple[Binding, ...], since: int, feed: Feed) -> bool:
        """Puts a subscription in force; True where it must wait for `replay`, because there is something to replay."""
        if channel not in self._index and any(_kept(binding, feed) for binding in bindings):
            self._waiting[channel] = (bindings, since)
            return len(self._waiting) == 1
        self._begin(channel, bindings, since)
        return False

    async def replay(self, feed: Feed) -> None:
        """Puts the subscriptions that wait in force, and tells them of what was inserted a moment before.

        It is done between two batches of the feed: each insertion was either told of before, and is among those that
        are kept, or comes with a later batch. So none is missed, none comes twice, and all come in order.
        """
        try:
            await feed.between(lambda connection: self._replay(connection, feed))
        except Exception as error:  # noqa: BLE001 — the rim of a task: the subscriptions are in force without a replay
            log.warning("new subscriptions are not told of the last insertions (%s: %s)", type(error).__name__, error)
            self._begin_waiting()

    async def _replay(self, connection: Connection, feed: Feed) -> None:
        found: dict[Inserted, list[Subscription[Channel]]] = {}
        for channel in self._begin_waiting():
            for subscription in self._index.of(channel):
                for kept in _kept(subscription.binding, feed):
                    found.setdefault(kept, []).append(subscription)
        changes = await feed.changes_of(connection, sorted(found, key=lambda kept: kept.number))
        wanted = {change: [one for one in found[kept] if one.wants(change)] for kept, change in changes.items()}
        await self._tell(connection, plan(wanted, wanted.__getitem__, replayed=True))

    def _begin_waiting(self) -> list[Channel]:
        waiting, self._waiting = self._waiting, {}
        for channel, (bindings, since) in waiting.items():
            self._begin(channel, bindings, since)
        return list(waiting)

    def _begin(self, channel: Channel, bindings: tuple[Binding, ...], since: int) -> None:
        if channel.open:
            self._index.replace(channel, bindings, since)
            self._begun(channel)


def _kept(binding: Binding, feed: Feed) -> list[Inserted]:
    """The insertions of the last seconds that a binding's `eq` filter finds; its other conditions are not looked at."""
    anchor = binding.anchor if feed.recent is not None else None
    if anchor is None or feed.recent is None or binding.schema is None or binding.table is None:
        return []
    now = asyncio.get_running_loop().time()
    return feed.recent.find(binding.schema, binding.table, anchor.column, anchor.values[0], now)


async def _standing(connection: Connection, work: Plan) -> set[Change]:
    """Of the late insertions those whose rows stand unchanged."""
    standing: set[Change] = set()
    for table, changes in work.late.items():
        rows = [table.encode(change.row).decode() for change in changes]
        answers = await connection.fetch(_STANDING, table.relation.oid, work.xids, rows)
        standing.update(changes[answer[0] - 1] for answer in answers)
    return standing
