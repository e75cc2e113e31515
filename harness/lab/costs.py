"""The counters of a deployment, from its start to its end: what PostgreSQL and the server count themselves."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import NamedTuple

from harness.errors import Trouble
from harness.lab.database import connected
from harness.lab.metrics import Sample, between, scraped
from harness.results.costs import Costs
from harness.target import Target

PATIENCE = 10.0
"""Seconds that the server's connections get to end: they hand in what they counted when they do."""
_COUNTED = """
select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint as wal_bytes,
       (select coalesce(sum(n_tup_upd + n_tup_del), 0)::bigint from pg_stat_user_tables) as dead_tuples
"""
_OTHERS = """
select count(*) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type in ('client backend', 'walsender')
"""


class Counted(NamedTuple):
    """What PostgreSQL has counted so far: of the whole cluster the log, of one database the rows."""

    wal_bytes: int
    dead_tuples: int


class CostMeter:
    """Counts what a target does between `begin` and `end`; nothing where it gives neither database nor metrics.

    Nothing else may work on the same PostgreSQL meanwhile, for the log is one for all.
    """

    def __init__(self) -> None:
        self._counted: list[Counted] = []
        self._samples: list[Sample | None] = []

    async def begin(self, target: Target) -> None:
        """Looks for the first time. Raises Trouble where the database cannot be reached."""
        self._samples = [await scraped(target)]
        if target.capabilities.database_url:
            self._counted = [await _counted(target.capabilities.database_url)]

    async def stop(self, target: Target) -> None:
        """Asks the server one last time, before it ends."""
        self._samples.append(await scraped(target))

    async def end(self, database_url: str, *, ended: bool = True) -> None:
        """Asks PostgreSQL one last time; one that cannot be reached any more has counted nothing.

        Args:
            database_url: of the target.
            ended: the server has ended, and its connections are waited for. Those of one that goes on hand in what
                they counted every second or so while they work.
        """
        with suppress(Trouble):
            self._counted.append(await _counted(database_url, alone=ended))

    def costs(self, correct_matches: int) -> Costs | None:
        """The counters by match; None where nothing was counted, or nobody matched."""
        told = between(*self._samples) if len(self._samples) == 2 else {}
        if len(self._counted) == 2:
            before, after = self._counted
            told["wal_bytes"] = after.wal_bytes - before.wal_bytes
            told["dead_tuples"] = after.dead_tuples - before.dead_tuples
        found = {
            name: round(told[name] / correct_matches, 3)
            for name in ("statements", "wal_bytes", "dead_tuples", "frames")
            if correct_matches and name in told
        }
        return Costs(correct_matches=correct_matches, **found) if found else None


async def _counted(database_url: str, *, alone: bool = False) -> Counted:
    async with connected(database_url) as database:
        deadline = time.monotonic() + PATIENCE
        while alone and await database.fetchval(_OTHERS) and time.monotonic() < deadline:
            await database.execute("select pg_sleep(0.05)")
        row = await database.fetchrow(_COUNTED)
    return Counted(row["wal_bytes"], row["dead_tuples"])
