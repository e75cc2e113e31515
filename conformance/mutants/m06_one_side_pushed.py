"""M06: only one member of a new session is told of it by push."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.mutation import Mutation
from reference_server.realtime import Realtime

MUTANT = {
    "id": "M06",
    "title": "push reaches one side only",
    "why": "The document's client filters by user1_id, which is always the caller.",
    "names": ["MM-L1"],
}


def mutate(server: Mutation) -> None:
    """Subscriptions that name the second member are accepted and forgotten."""

    def forgetful(original: Callable[..., None]) -> Callable[..., None]:
        def bound(realtime: Any, channel: Any, bindings: Any, *rest: Any) -> None:
            kept = tuple(one for one in bindings if all(c.column != "user2_id" for c in one.conditions))
            original(realtime, channel, kept, *rest)

        return bound

    server.wrap(Realtime, "_bound", forgetful)
