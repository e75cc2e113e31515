"""M87: a refusal repeats the token that it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.mutation import Mutation
from reference_server.realtime import connection, upgrade
from reference_server.realtime.identity import Denied

MUTANT = {
    "id": "M87",
    "title": "refusals show tokens",
    "why": "Errors that are meant to help.",
    "names": ["SEC-WS-28"],
}


def mutate(server: Mutation) -> None:
    """The sentence has the token in it."""

    def telling(original: Callable[..., Any]) -> Callable[..., Any]:
        def identify(token: str, *rest: Any) -> Any:
            try:
                return original(token, *rest)
            except Denied as denied:
                raise Denied(denied.code, f"{denied.sentence}: {token}") from denied

        return identify

    for owner in (connection, upgrade):
        server.wrap(owner, "identify", telling)
