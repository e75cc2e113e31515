"""M92: all users share one count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from reference_server.limits.join_limit import JoinLimit, TooManyJoins
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M92",
    "title": "the limit is not for each user, but for each address",
    "why": "A limit at the proxy, behind which all come from one address.",
    "names": ["LIM-3"],
}


def mutate(server: Mutation) -> None:
    """While one is refused, all are."""

    def shared(_original: Callable[..., Any]) -> Callable[..., Any]:
        def check(limit: Any, _user: UUID) -> None:
            left = max(limit._refused.values(), default=0.0) - limit.now()
            if left > 0:
                raise TooManyJoins(left)

        return check

    server.wrap(JoinLimit, "check", shared)

    server.wrap(JoinLimit, "check", shared)
