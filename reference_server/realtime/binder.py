"""Makes database subscriptions: checks the bindings of channels that join together in one round trip."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from reference_server.db import Database, DatabaseError, Record
from reference_server.realtime.channel import Channel
from reference_server.realtime.expressions import TOO_LONG, limited
from reference_server.realtime.filters import Condition
from reference_server.realtime.subscriptions import Binding

log = logging.getLogger(__name__)

_DATA_EXCEPTION = "22"  # the class of SQLSTATE
PONDERING = 0.5
"""Seconds for the bindings of one channel that have regular expressions: PostgreSQL compiles each."""
_UNABLE = "Unable to subscribe to changes with given parameters."
_CHECK = """
select (pg_current_wal_insert_lsn() - '0/0')::bigint as lsn, c.* from gurukul.realtime_check($1::jsonb) c
"""

Bound = Callable[[Channel, tuple[Binding, ...], int], None]
"""The channel's bindings as they are in force, and the position in the log from which they are."""
Refuse = Callable[[Channel, str], None]
"""The channel's bindings cannot be made, and what the client is told."""


@dataclass(slots=True)
class _Line:
    """Channels that wait for one kind of check: together and without end, or each for so many seconds."""

    patience: float | None = None
    waiting: dict[Channel, None] = field(default_factory=dict)
    work: asyncio.Event = field(default_factory=asyncio.Event)


class Binder:
    """Takes channels and answers each with `bound` or `refused`. While one check is under way the next ones gather.

    Channels with regular expressions, which can take long to check, are checked one after the other beside the rest.
    What could not be checked for want of the database is refused, and tried again after `retry` seconds or more.
    """

    def __init__(self, database: Database, bound: Bound, refused: Refuse, *, retry: float) -> None:
        self._database = database
        self._retry = retry
        self._bound = bound
        self._refused = refused
        self._lines = {False: _Line(), True: _Line(PONDERING)}  # by whether they have regular expressions
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._tasks = {asyncio.create_task(self._run(line), name="realtime-binder") for line in self._lines.values()}

    async def stop(self) -> None:
        """Ends the work; what waits stays unanswered. May be called twice."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def bind(self, channel: Channel) -> None:
        """Asks for the channel's subscription; the answer comes later."""
        if not channel.open:
            return
        if channel.problem:
            self._refused(channel, channel.problem)
        elif channel.bindings:
            line = self._lines[any(binding.asks for binding in channel.bindings)]
            line.waiting[channel] = None
            line.work.set()

    async def _run(self, line: _Line) -> None:
        while True:
            await line.work.wait()
            line.work.clear()
            channels = list(line.waiting)
            line.waiting.clear()
            for together in [channels] if line.patience is None else [[channel] for channel in channels]:
                await self._answer_all([channel for channel in together if channel.open], line.patience)

    async def _answer_all(self, channels: list[Channel], patience: float | None) -> None:
        try:
            await self._settle(channels, patience)
        except Exception as error:  # noqa: BLE001 — the rim of the task: if it ended, no channel would ever be told again
            log.warning("subscriptions must wait (%s: %s)", type(error).__name__, error)
            self._put_off(channels, str(error))

    def _put_off(self, channels: list[Channel], why: str) -> None:
        """Tells these channels why, and tries again in one to two times `retry` seconds (PROTOCOL 1.4)."""
        loop = asyncio.get_running_loop()
        for channel in channels:
            if channel.open:
                self._refused(channel, why)
                loop.call_later(self._retry * (1 + channel.socket % 16 / 16), self.bind, channel)

    async def _settle(self, channels: list[Channel], patience: float | None = None) -> None:
        """Answers these channels. What PostgreSQL cannot take at all (a NUL, say), or not in `patience` seconds, costs
        only its own channel."""
        try:
            await self._check(channels, patience)
        except DatabaseError as error:
            if not error.sqlstate.startswith((_DATA_EXCEPTION, TOO_LONG)):
                raise
            if len(channels) == 1:
                self._refused(channels[0], _exception(channels[0].bindings[0], str(error)))
                return
            for channel in channels:
                await self._settle([channel], patience)

    async def _check(self, channels: list[Channel], patience: float | None) -> None:
        items = [item for channel in channels for item in _items(channel)]
        if not items:
            return
        async with self._database.connection() as connection, limited(connection, patience):
            answers = iter(await connection.fetch(_CHECK, orjson.dumps(items).decode()))
        for channel in channels:
            self._answer(channel, answers)

    def _answer(self, channel: Channel, answers: Iterator[Record]) -> None:
        bindings: list[Binding] = []
        problem, lsn = "", 0
        for binding in channel.bindings:
            conditions: list[Condition] = []
            for condition in binding.conditions or (None,):
                answer = next(answers)
                problem = problem or _problem(binding, answer)
                lsn = answer["lsn"]
                if condition is not None and not problem:
                    values = tuple(answer["canonical"])
                    conditions.append(replace(condition, values=values, type_name=answer["type_name"]))
            for _column in binding.select or ():
                problem = problem or _problem(binding, next(answers))
            bindings.append(replace(binding, conditions=tuple(conditions)))
        if not channel.open:
            return
        if problem:
            self._refused(channel, problem)
        else:
            self._bound(channel, tuple(bindings), lsn)


def _items(channel: Channel) -> Iterator[dict[str, Any]]:
    """What `gurukul.realtime_check` is asked for a channel: one item for each condition, or one for none."""
    for binding in channel.bindings:
        place = {"role": channel.identity.claims.role, "schema": binding.schema, "table": binding.table}
        for condition in binding.conditions or (None,):
            if condition is None:
                yield {**place, "column": None, "values": []}
            else:
                yield {**place, "column": condition.column, "values": condition.values, "op": condition.op}
        for column in binding.select or ():
            yield {**place, "column": column, "values": [], "op": "select"}


def _problem(binding: Binding, answer: Record) -> str:
    """What the client is told about a binding that cannot be made (PROTOCOL 1.4); empty when it can."""
    if not answer["published"]:
        advice = "Please check Realtime is enabled for the given connect parameters:"
        return f"{_UNABLE} {advice} {binding.describe()}"
    return _exception(binding, answer["error"]) if answer["error"] is not None else ""


def _exception(binding: Binding, said: str) -> str:
    advice = "An exception happened so please check your connect parameters:"
    return f"{_UNABLE} {advice} {binding.describe()}. Exception: {said}"
