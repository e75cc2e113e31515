"""The part that holds the metrics, takes samples of what nobody counts, and answers `GET /metrics`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from reference_server.db import Database
from reference_server.telemetry.facts import Inquirer
from reference_server.telemetry.matching import MatchingMetrics
from reference_server.telemetry.metrics import Metrics
from reference_server.telemetry.processes import Processes
from reference_server.telemetry.requests import Requests
from reference_server.telemetry.sharing import living, shared_folder

EPOCH = 946_684_800
"""Seconds from the epoch of Unix to that of PostgreSQL, 2000-01-01."""
LAG_INTERVAL = 0.25
SAMPLE_INTERVAL = 1.0
"""Seconds between two samples where several workers share a port: whoever is scraped knows the others' last ones."""


class Commit(Protocol):
    """What a change of a row tells of its transaction."""

    @property
    def commit_lsn(self) -> int: ...
    @property
    def committed_us(self) -> int:
        """Microseconds since the epoch of PostgreSQL."""


class Frames(Protocol):
    """How many messages went over sockets."""

    @property
    def received(self) -> int: ...
    @property
    def sent(self) -> int: ...


class Watched(Protocol):
    """What is measured in Realtime."""

    def measure(self, told: Callable[[Sequence[Commit]], None]) -> None:
        """Has `told` called with changes that have just been pushed, in commit order."""

    @property
    def sockets(self) -> int:
        """Open sockets."""

    @property
    def subscriptions(self) -> int:
        """Bindings on database changes."""

    @property
    def frames(self) -> Frames:
        """Messages over the sockets so far."""

    @property
    def changes_skipped(self) -> int:
        """Changes that the plan's rate kept from a channel so far."""


class Telemetry:
    """The metrics of one server process. Several in one process do not meet: each has a registry of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._realtime: Watched | None = None
        self._inquirer = Inquirer(database)
        self._folder = shared_folder()
        self._registry = CollectorRegistry()
        self.metrics = Metrics(self._registry)
        self.matching = MatchingMetrics(self.metrics)
        self._processes = Processes(self._pids)
        self._cpu = 0.0
        self._skipped = 0
        self._statements = 0
        self._frames = {"received": 0, "sent": 0}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def watch(self, realtime: Watched) -> None:
        """Names what is to be measured besides the database; before `start`."""
        self._realtime = realtime
        realtime.measure(self._told)

    async def start(self) -> None:
        """Begins to look at the event loop, and to take samples where other workers answer scrapes for this one."""
        self._database.waited = self.metrics.pool_wait.observe
        self._ask_loop(time.perf_counter())
        if self._folder is not None:
            self._sample_again()

    async def stop(self) -> None:
        """Ends what `start` began. May be called twice."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        await self._inquirer.stop()

    def joined(self, result: str) -> None:
        """Counts a join that reached the engine, or would have if the server did not stop."""
        self.metrics.joins[result].inc()

    def around(self, app: ASGIApp, *, access_log: bool) -> ASGIApp:
        """The application, with each request counted and given an id."""
        return Requests(app, self.metrics, access_log=access_log)

    def routes(self) -> list[BaseRoute]:
        """GET /metrics, in the text format of Prometheus, or of OpenMetrics where that is asked for."""
        return [Route("/metrics", self._scrape, methods=["GET"])]

    async def _scrape(self, request: Request) -> Response:
        facts = await self._inquirer.facts()
        self._sample()
        registry = CollectorRegistry()
        for collector in (self._counted(), facts, self._processes):
            registry.register(collector)  # type: ignore[arg-type]  # whatever has `collect`
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": media_type})

    def _counted(self) -> object:
        return self._registry if self._folder is None else _merged(self._folder)

    def _pids(self) -> Sequence[int]:
        return [os.getpid()] if self._folder is None else living(self._folder)

    def _sample(self) -> None:
        metrics, database = self.metrics, self._database
        metrics.tasks.set(len(asyncio.all_tasks()))
        metrics.pool.set(database.pool_size)
        metrics.pool_used.set(database.pool_used)
        cpu, self._cpu = self._cpu, time.process_time()
        metrics.cpu.inc(self._cpu - cpu)
        statements, self._statements = self._statements, database.statements.sent
        metrics.statements.inc(self._statements - statements)
        if self._realtime is not None:
            self._sample_realtime(self._realtime)

    def _sample_realtime(self, realtime: Watched) -> None:
        self.metrics.sockets.set(realtime.sockets)
        self.metrics.subscriptions.set(realtime.subscriptions)
        skipped, self._skipped = self._skipped, realtime.changes_skipped
        self.metrics.dropped.inc(self._skipped - skipped)
        frames, self._frames = self._frames, {"received": realtime.frames.received, "sent": realtime.frames.sent}
        for direction, count in self._frames.items():
            self.metrics.frames.labels(direction).inc(count - frames[direction])

    def _sample_again(self) -> None:
        self._sample()
        self._later("sample", SAMPLE_INTERVAL, self._sample_again)

    def _ask_loop(self, due: float) -> None:
        now = time.perf_counter()
        self.metrics.loop_lag.observe(max(0.0, now - due))
        self._later("lag", LAG_INTERVAL, self._ask_loop, now + LAG_INTERVAL)

    def _later(self, name: str, seconds: float, call: Callable[..., None], *args: object) -> None:
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, call, *args)

    def _told(self, changes: Iterable[Commit]) -> None:
        now, last = time.time(), -1  # PostgreSQL's clock is another one: no monotonic clock reaches from it to us
        for change in changes:
            if change.commit_lsn != last:
                last = change.commit_lsn
                self.metrics.feed_lag.observe(max(0.0, now - EPOCH - change.committed_us / 1_000_000))


def _merged(folder: Path) -> object:
    return MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]
