"""L04: those who came last are matched first."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "L04",
    "title": "newest first",
    "why": "They are there for certain.",
    "legal": True,
}

LOOP = "    for i in 1 .. cardinality(v_rest) / 2 loop\n"


def mutate(server: Mutation) -> None:
    """What is left after the buddies is paired from the end."""
    reverse = "v_rest := array(select u.id from unnest(v_rest) with ordinality u (id, n) order by u.n desc);"
    server.sql(LOOP, f"    {reverse}\n{LOOP}")
