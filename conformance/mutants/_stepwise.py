"""An engine that joins in two steps, and correctly: the ground on which several mutants get one line wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from reference_server.db import Database
from reference_server.matchmaking.engine import Match, NoSuchUser
from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation
from reference_server.settings import Settings

_REFUSED = "select retry_after[1] from gurukul.refuse_joins(array[$1::uuid], array[1], $2, $3)"
_ENTER = "select gurukul.enter($1, $2)"
_PICK = "select * from gurukul.pick($1)"
_PAIRS = "v_pairs := gurukul.pair_up(v_users, v_modes);"
_PAIRS_NOBODY = "v_pairs := gurukul.pair_up('{}', '{}');"
SQL = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class StepwiseEngine(HardenedEngine):
    """Enters, then picks, each in a transaction of its own. Nothing else ever pairs anybody."""

    hop = 0.0
    """Seconds between the two steps."""

    def __init__(self, settings: Settings, database: Database) -> None:
        super().__init__(settings, database)
        self._behind: set[asyncio.Task[None]] = set()

    async def join(self, user: UUID, mode: str) -> Match | None:
        """Enters and picks; the answer tells the match."""
        await self.enter(user, mode)
        await asyncio.sleep(self.hop)
        return await self.pick(user)

    async def stop(self) -> None:
        """Ends the work that goes on behind replies, then the rest."""
        for task in self._behind:
            task.cancel()
        await asyncio.gather(*self._behind, return_exceptions=True)
        await super().stop()

    async def enter(self, user: UUID, mode: str) -> None:
        """Ends the user's session and makes or renews his entry. Raises TooManyJoins and NoSuchUser."""
        async with self._database.connection() as connection:
            if self._limit.limit:
                self._limit.check(user)
                seconds = await connection.fetchval(_REFUSED, user, self._limit.limit, self._limit.window)
                if seconds is not None:
                    raise self._limit.refuse(user, seconds)
            if not await connection.fetchval(_ENTER, user, mode):
                raise NoSuchUser(user)

    async def pick(self, user: UUID) -> Match | None:
        """Looks for a partner, and tells the other parts of a match."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_PICK, user)
        if row is None:
            return None
        self.announce(row["session_id"], user, row["partner_id"])
        return Match(row["session_id"], row["partner_id"], user)

    def behind_the_reply(self, user: UUID) -> None:
        """Picks when the join has been answered; what goes wrong there, nobody hears."""

        async def work() -> None:
            await asyncio.sleep(self.hop)
            await self.pick(user)

        task = asyncio.create_task(work())
        self._behind.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._behind.discard(task)
        if not task.cancelled():
            task.exception()


def step_by_step(
    server: Mutation, *wrong: tuple[str, str], engine: Callable[[Settings, Database], StepwiseEngine] = StepwiseEngine
) -> None:
    """Builds the stepwise engine in, with some pieces of its SQL replaced (each must occur there exactly once)."""
    text = SQL
    for old, new in wrong:
        if text.count(old) != 1:
            raise ValueError(f"{old!r} does not occur exactly once in the stepwise engine")
        text = text.replace(old, new)
    server.sql(_PAIRS, _PAIRS_NOBODY)
    server.add_sql(text)
    server.replace_engine(engine)


def allow_two_sessions(server: Mutation) -> None:
    """Lifts the schema's own guard, under which a second active session of a user is refused by a primary key."""
    server.sql(
        "    order by m.user_id;\n    return null;",
        "    order by m.user_id\n    on conflict (user_id) do update set session_id = excluded.session_id;\n"
        "    return null;",
    )


def allow_several_entries(server: Mutation) -> tuple[tuple[str, str], ...]:
    """Lifts the guard under which a second queue entry of a user is refused; what the engine's SQL then must say."""
    server.sql(
        "user_id      uuid not null unique references auth.users on delete cascade,",
        "user_id      uuid not null references auth.users on delete cascade,",
    )
    server.sql("delete from public.waiting_queue q where q.user_id = any (v_members);", "null;")
    allow_two_sessions(server)
    return (
        (
            "\n    on conflict (user_id) do update set seen_at = excluded.seen_at, match_mode = excluded.match_mode;",
            ";",
        ),
        ("    return query\n", ONE_ENTRY_EACH),
    )


ONE_ENTRY_EACH = """    delete from public.waiting_queue q
    using (select distinct on (w.user_id) w.id from public.waiting_queue w
           where w.user_id in (p_user, v_partner) order by w.user_id, w.joined_at) taken
    where q.id = taken.id;
    return query
"""
