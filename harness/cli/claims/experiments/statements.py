"""What one match costs the database: the statements that are sent for it, and the writes that come of them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import calls_of, company
from harness.errors import Trouble
from harness.lab.database import connected, throwaway_database
from harness.lab.deployment import given_database

_TABLES = ("waiting_queue", "chat_sessions")
_MATCHING = re.compile(r"LOG:  (execute|statement).*(waiting_queue|chat_sessions|find_match|match_waiting)")
_SENT = re.compile(r"LOG:  (execute|statement)")
_READING = re.compile(r"LOG:  (execute|statement).*(chat_sessions|pg_temp\.poll_)")
"""The hardened engine reads polls with a function that it makes of their statement."""
_FEED = re.compile(r"pg_logical|pg_replication|gurukul\.(note_sockets|adopt_users|absences|claim_job)")
_LOGGED = """
do $$ begin
    execute format('alter database %I set log_statement = ''all''', current_database());
    execute format('alter database %I set log_min_messages = ''log''', current_database());
end $$
"""
_COUNTER = """
create sequence gurukul.counted_writes;
grant usage on schema gurukul to anon, authenticated;
create function gurukul.count_write() returns trigger language plpgsql security definer as $$
begin
    perform nextval('gurukul.counted_writes');
    return null;
end;
$$;
"""
_COUNTED = """
create trigger counted_{event} after {event} on public.{table}
    for each statement execute function gurukul.count_write()
"""
_WRITES = "select case when is_called then last_value else 0 end from gurukul.counted_writes"


@dataclass(frozen=True)
class StatementFacts:
    """Totals over some matches, and over some polls."""

    matches: int
    sent: int
    """Statements that the server sent for them (a function call is one of them)."""
    writes: int
    """INSERT, UPDATE and DELETE statements on the queue and the sessions, those inside functions too."""
    polls: int
    poll_statements: int
    """Statements that the server sent for these polls, with BEGIN, the settings of the caller's rights, and COMMIT."""
    poll_reads: int
    """Those of them that read the sessions."""

    @property
    def at_least_per_match(self) -> float:
        """A lower bound of the queries of one match: what was sent, or the writes alone, whichever is more."""
        return max(self.sent, self.writes) / self.matches


async def statements(place: Place) -> StatementFacts:
    """Lets pairs meet one after the other on a database that logs and counts what it is asked."""
    log = place.folder.logs / "postgres.log"
    if not place.cluster.embedded:
        raise Trouble("the log of a given PostgreSQL is out of reach", "leave --database-url out")
    pairs = place.size(20, 8)
    async with throwaway_database(place.cluster.url) as url, connected(url) as database:
        await database.execute(_LOGGED)
        async with (
            given_database(place.engine, url, place.log("statements")) as deployed,
            company(deployed.target, 2 * pairs) as people,
        ):
            await _count_writes(database)
            calls, start = calls_of(deployed), log.stat().st_size
            for one, other in zip(people[::2], people[1::2], strict=True):
                await calls.join(one)
                await calls.join(other)
            sent = _counted(await _read(log, start), _MATCHING)
            writes = await database.fetchval(_WRITES)
            await people[0].poll()  # what the first one prepares is not done again
            start, polls = log.stat().st_size, 10
            for person in people[:polls]:
                await person.poll()
            polled = await _read(log, start)
    reads = _counted(polled, _READING)
    return StatementFacts(pairs, sent, int(writes), polls, _counted(polled, _SENT), reads)


async def _count_writes(database: Any) -> None:
    """Puts counters on the tables, which count a statement even where it meets no row."""
    await database.execute(_COUNTER)
    for table in _TABLES:
        for event in ("insert", "update", "delete"):
            await database.execute(_COUNTED.format(event=event, table=table))


async def _read(log: Path, start: int) -> str:
    """What was logged since; our own look at the counter is no part of it."""

    def read() -> str:
        with log.open("rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace")

    return await asyncio.to_thread(read)


def _counted(text: str, kind: re.Pattern[str]) -> int:
    return sum(kind.search(line) is not None and not _FEED.search(line) for line in text.splitlines())
