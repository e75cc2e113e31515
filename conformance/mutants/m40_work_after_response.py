"""M40: the search starts after the response, when the platform has put the process to sleep."""

from __future__ import annotations

from uuid import UUID

from conformance.mutants._stepwise import step_by_step
from conformance.mutants._unheard import Unheard
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M40",
    "title": "work started after the response never runs",
    "why": "Serverless functions, which are frozen when they have answered.",
    "names": ["MM-L2"],
}


class Frozen(Unheard):
    """Nothing runs behind a reply."""

    def behind_the_reply(self, _user: UUID) -> None:
        return None


def mutate(server: Mutation) -> None:
    """Joins are stored and answered."""
    step_by_step(server, engine=Frozen)
