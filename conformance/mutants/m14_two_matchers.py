"""M14: two matchers work on one queue, each behind a lock of its own."""

from __future__ import annotations

from uuid import UUID

from conformance.mutants._stepwise import allow_two_sessions
from reference_server.db import Database
from reference_server.matchmaking.engine import Match
from reference_server.matchmaking.hardened import HardenedEngine
from reference_server.mutation import Mutation
from reference_server.settings import Settings

MUTANT = {
    "id": "M14",
    "title": "two matchers share no fan-in",
    "why": "Two regions, two replicas, or two versions during a roll-out. A pass takes 10 ms longer here.",
    "names": ["MM-S1"],
    "racing": True,
}


class TwoMatchers(HardenedEngine):
    """Half of the users join here, the others there."""

    def __init__(self, settings: Settings, database: Database) -> None:
        super().__init__(settings, database)
        self._twin = HardenedEngine(settings, database)

    async def start(self) -> None:
        await super().start()
        self._twin.announce = self.announce
        await self._twin.start()

    async def stop(self) -> None:
        await self._twin.stop()
        await super().stop()

    async def join(self, user: UUID, mode: str) -> Match | None:
        return await (super().join(user, mode) if user.int % 2 else self._twin.join(user, mode))


def mutate(server: Mutation) -> None:
    """Each connection has a lock of its own, and nobody locks the entries that he looks at."""
    allow_two_sessions(server)
    server.sql("pg_advisory_xact_lock(x'677572756b756c'::bigint)", "pg_advisory_xact_lock(pg_catalog.pg_backend_pid())")
    server.sql(
        "perform 1 from public.waiting_queue q order by q.user_id for update;", "perform 1 from public.waiting_queue;"
    )
    server.sql("from public.waiting_queue q order by q.user_id for update of q) w;", "from public.waiting_queue q) w;")
    server.sql(
        "v_pairs := gurukul.pair_up(v_users, v_modes);",
        "v_pairs := gurukul.pair_up(v_users, v_modes);\n    perform pg_catalog.pg_sleep(0.01);",
    )
    server.replace_engine(TwoMatchers)
