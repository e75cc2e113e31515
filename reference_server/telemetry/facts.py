"""What the database tells at a scrape; where it does not answer in time that is told instead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from reference_server.db import Database, DatabaseError, Unavailable
from reference_server.db.queries import load_queries

log = logging.getLogger(__name__)

DEADLINE = 2.0
"""Seconds that a scrape waits for the database; Prometheus itself gives up after 10."""

_QUERIES = load_queries("reference_server.telemetry", "facts.sql")
_UP = ("database_up", "Whether the database answered this scrape in time: 1 or 0.")
_GAUGES = {
    "queue_length": ("matchmaking_queue_length", "Users in the queue."),
    "active_sessions": ("active_sessions_count", "Sessions that are active."),
    "connections": ("database_connections", "Connections to this database, whoever made them."),
    "retained_bytes": ("database_replication_retained_bytes", "Log that the slowest replication slot holds back."),
}
_SLOTS = ("database_replication_slots", "Replication slots of this database, by whether somebody reads them.")
_DEAD = ("database_dead_tuples", "Rows that are dead and not yet vacuumed, by table.")


@dataclass(frozen=True, eq=False)
class Facts:
    """The values by the names of their columns, and dead rows by table. A collector: it yields them as metrics."""

    values: Mapping[str, float]
    dead: Mapping[str, float] = field(default_factory=dict)

    def collect(self) -> Iterable[Metric]:
        """The families, those without a value left out."""
        yield GaugeMetricFamily(*_UP, value=1.0 if self.values else 0.0)
        if not self.values:
            return
        for column, (name, text) in _GAUGES.items():
            yield GaugeMetricFamily(name, text, value=self.values[column])
        slots = GaugeMetricFamily(*_SLOTS, labels=["state"])
        slots.add_metric(["active"], self.values["slots_active"])
        slots.add_metric(["idle"], self.values["slots_idle"])
        yield slots
        dead = GaugeMetricFamily(*_DEAD, labels=["table"])
        for table, count in self.dead.items():
            dead.add_metric([table], count)
        yield dead


NOTHING = Facts({})


class Inquirer:
    """Asks the database, one question at a time however many scrapes want to know, so that a slow one is no burden."""

    def __init__(self, database: Database, deadline: float = DEADLINE) -> None:
        self._database: Final = database
        self._deadline: Final = deadline
        self._asking: asyncio.Task[Facts] | None = None

    async def facts(self) -> Facts:
        """What the database says; `NOTHING` where it does not in time."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="metrics: ask the database")
        asking = self._asking
        await asyncio.wait({asking}, timeout=self._deadline)
        if not asking.done():  # it goes on, and the next scrape waits for it too
            log.warning("the database has not answered a scrape within %.1f s", self._deadline)
            return NOTHING
        self._asking = None
        return asking.result()

    async def stop(self) -> None:
        """Ends a question that is still open. May be called twice."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            await asyncio.wait({asking}, timeout=self._deadline)

    async def _ask(self) -> Facts:
        try:
            async with self._database.connection() as connection:
                row = await connection.fetchrow(_QUERIES["facts"])
                dead = await connection.fetch(_QUERIES["dead_tuples"])
        except (DatabaseError, Unavailable, OSError) as error:
            log.warning("the database has not answered a scrape: %s", error)
            return NOTHING
        values = {} if row is None else {column: float(value) for column, value in row.items()}
        return Facts(values, {one["table"]: float(one["dead"]) for one in dead})
