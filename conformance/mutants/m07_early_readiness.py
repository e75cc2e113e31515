"""M07: a subscription is called ready before it stands, and what happens meanwhile is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from reference_server.mutation import Mutation
from reference_server.realtime import Realtime

MUTANT = {
    "id": "M07",
    "title": "changes between SUBSCRIBED and readiness are lost",
    "why": "Clients that take the join's reply for readiness. The window is 20 s wide here.",
    "names": ["MM-L1"],
}


WINDOW = 20.0
"""Seconds from the word to the deed."""


def mutate(server: Mutation) -> None:
    """The client is told at once, the subscription is made later, from then on."""

    def early(original: Callable[..., None]) -> Callable[..., None]:
        def bound(realtime: Any, channel: Any, bindings: Any, *rest: Any) -> None:
            original(realtime, channel, (), *rest)
            asyncio.get_running_loop().call_later(WINDOW, realtime._index.replace, channel, bindings, *rest)

        return bound

    server.wrap(Realtime, "_bound", early)
