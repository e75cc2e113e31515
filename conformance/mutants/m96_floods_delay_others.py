"""M96: each refused join keeps the others waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from reference_server.limits.join_limit import JoinLimit, TooManyJoins
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M96",
    "title": "a flood costs the others their match",
    "why": "Refusals that are made where the matches are made. 20 ms for each here.",
    "names": ["LIM-7"],
}


def mutate(server: Mutation) -> None:
    """A refusal takes its time."""

    def slow(original: Callable[..., Any]) -> Callable[..., Any]:
        def check(limit: Any, user: UUID) -> None:
            try:
                original(limit, user)
            except TooManyJoins:
                time.sleep(0.25)
                raise

        return check

    server.wrap(JoinLimit, "check", slow)
