"""M53: a token is good for ever."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from reference_server.auth import tokens
from reference_server.auth.claims import Claims
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M53",
    "title": "the end of a token is not looked at",
    "why": "ignoreExpiration, left over from a test.",
    "names": ["SEC-JWT-13", "SEC-WS-26"],
}


def mutate(server: Mutation) -> None:
    """Every token ends at no time."""

    def endless(original: Callable[..., Claims]) -> Callable[..., Claims]:
        def read(*arguments: Any) -> Claims:
            return replace(original(*arguments), expires_at=math.inf)

        return read

    server.wrap(tokens, "_read_claims", endless)
