"""M55: a clock that is a few seconds ahead locks its users out."""

from __future__ import annotations

from reference_server.auth import tokens
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M55",
    "title": "clocks may not differ at all",
    "why": "Zero leeway, between two machines.",
    "names": ["SEC-JWT-16"],
}


def mutate(server: Mutation) -> None:
    """No second of grace."""
    server.wrap(tokens, "SKEW", lambda _original: 0.0)
