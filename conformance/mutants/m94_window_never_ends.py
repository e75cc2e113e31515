"""M94: who was refused once is refused for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from reference_server.limits.join_limit import JoinLimit, TooManyJoins
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M94",
    "title": "the limit is never lifted again",
    "why": "A count without an end, or whose end each refusal puts off.",
    "names": ["LIM-5"],
}


def mutate(server: Mutation) -> None:
    """What Retry-After says is not kept."""

    def unforgiving(_original: Callable[..., Any]) -> Callable[..., Any]:
        def check(limit: Any, user: UUID) -> None:
            until = limit._refused.get(user)
            if until is not None:
                raise TooManyJoins(max(1.0, until - limit.now()))

        return check

    server.wrap(JoinLimit, "check", unforgiving)
