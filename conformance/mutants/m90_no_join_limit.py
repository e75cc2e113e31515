"""M90: a user may join as often as he likes."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M90",
    "title": "joins are not limited",
    "why": "A limit at the proxy, which has none.",
    "names": ["LIM-1"],
}


def mutate(server: Mutation) -> None:
    """Nobody counts."""
    server.set(join_rate_limit=0)
