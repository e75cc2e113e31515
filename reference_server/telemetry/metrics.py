"""Every metric that the server counts as things happen, in a registry of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# A series with the time of its creation for each counter and histogram: twice the lines, and nobody looks at them.
disable_created_metrics()  # type: ignore[no-untyped-call]

WAIT_MS = (10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000)
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
JOINS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 500)

JOIN_RESULTS = ("matched", "waiting", "rate_limited", "no_such_user", "failed", "stopping")


@dataclass(frozen=True)
class Description:
    """A metric as docs/operation.md shows it; `kind` is counter, gauge or histogram."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


class Metrics:
    """The metrics as attributes. Gauges are those of one process; where several share a port a scrape adds them up."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.described: list[Description] = []
        self.latency = self._histogram(
            "matchmaking_latency_ms", "From a user's join to his match, in milliseconds, for each member.", WAIT_MS
        )
        joins = self._counter("matchmaking_joins", "Joins that reached the engine, by result.", "result")
        self.joins = {result: joins.labels(result) for result in JOIN_RESULTS}
        self.batch_joins = self._histogram("matchmaking_batch_joins", "Hardened: users in one batch.", JOINS)
        self.batch_duration = self._histogram(
            "matchmaking_batch_duration_seconds", "Hardened: one batch, from its start to its commit."
        )
        self.lock_wait = self._histogram(
            "matchmaking_lock_wait_seconds", "Hardened: how long a batch waited for the lock of all matching."
        )
        self.find_match_duration = self._histogram(
            "matchmaking_find_match_duration_seconds", "Documented: one call of find_match."
        )
        self.busy = self._counter("matchmaking_system_busy", "Documented: calls of find_match that met 'System busy'.")
        self.sockets = self._gauge("websocket_connections", "Open Realtime sockets.")
        self.subscriptions = self._gauge("realtime_subscriptions", "Bindings on database changes.")
        self.feed_lag = self._histogram(
            "realtime_feed_lag_seconds", "From a commit to its push to the sockets, by PostgreSQL's clock and ours."
        )
        self.dropped = self._counter(
            "realtime_changes_dropped", "Changes that were not told to a channel because of the plan's rate."
        )
        self.frames = self._counter(
            "realtime_frames", "Messages over Realtime sockets, from clients and to them.", "direction"
        )
        self.requests = self._counter(
            "http_requests", "Requests answered, by method, route and status.", "method", "route", "status"
        )
        self.request_duration = self._histogram(
            "http_request_duration_seconds", "From a request's head to the end of its answer.", SECONDS,
            "method", "route",
        )  # fmt: skip
        self.pool_wait = self._histogram(
            "database_pool_wait_seconds", "How long a request waited for a connection of the pool."
        )
        self.pool = self._gauge("database_pool_connections", "Connections of the pool.")
        self.pool_used = self._gauge("database_pool_connections_used", "Connections of the pool that are lent out.")
        self.statements = self._counter(
            "database_statements", "Statements sent to the database; a text that holds several counts once."
        )
        self.tasks = self._gauge("asyncio_tasks", "Tasks of the event loop that have not ended.")
        self.loop_lag = self._histogram(
            "event_loop_lag_seconds", "How late the event loop was for a timer, asked four times a second."
        )
        self.cpu = self._counter("process_cpu_seconds", "User and system CPU time, in seconds.")

    def _histogram(self, name: str, text: str, buckets: Sequence[float] = SECONDS, *labels: str) -> Histogram:
        self.described.append(Description(name, "histogram", labels, text))
        return Histogram(name, text, labels, buckets=buckets, registry=self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        self.described.append(Description(f"{name}_total", "counter", labels, text))
        return Counter(name, text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        self.described.append(Description(name, "gauge", (), text))
        return Gauge(name, text, registry=self._registry, multiprocess_mode="livesum")
