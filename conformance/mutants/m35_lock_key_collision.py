"""M35: the lock's 32-bit key is also that of a lock which another part holds for hours."""

from __future__ import annotations

from conformance.mutants._stepwise import step_by_step
from conformance.mutants._unheard import Unheard
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M35",
    "title": "a 32-bit hash key collides with another lock",
    "why": "hashtext of two names. Searches wait 0.3 s for it here, behind the reply.",
    "names": ["MM-L2"],
}


class BesideAnother(Unheard):
    """The other part runs from the start."""

    async def start(self) -> None:
        await super().start()
        report = await self._database.dedicated()
        await report.execute("select pg_advisory_lock(hashtext('matchmaking_lock'))")


def mutate(server: Mutation) -> None:
    """Searches lock what the report has locked."""
    step_by_step(
        server,
        ("set lock_timeout = '5s'", "set lock_timeout = '0.3s'"),
        ("    perform gurukul.lock_matching();", "    perform pg_advisory_xact_lock(hashtext('matchmaking_lock'));"),
        engine=BesideAnother,
    )
