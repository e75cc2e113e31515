"""M42: signs of life are written by one clock and compared with another, which is a minute behind."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M42",
    "title": "the TTL mixes two clocks that differ by a minute",
    "why": "Application and database on two machines.",
    "names": ["MM-S5"],
}


def mutate(server: Mutation) -> None:
    """Who looks for stale entries looks at the slower clock."""
    server.sql(
        "v_oldest_life timestamptz := clock_timestamp() -",
        "v_oldest_life timestamptz := clock_timestamp() - interval '1 minute' -",
    )
