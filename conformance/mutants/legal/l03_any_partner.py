"""L03: the partner is anyone of those who wait."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "L03",
    "title": "the partner is chosen at random among the waiting",
    "why": "Who waits longest is a matter of fairness. The order is that of the user ids, which are random.",
    "legal": True,
}

LOOP = "    for i in 1 .. cardinality(v_rest) / 2 loop\n"


def mutate(server: Mutation) -> None:
    """What is left after the buddies is paired in the order of the user ids."""
    shuffle = "v_rest := array(select u.id from unnest(v_rest) u (id) order by u.id);"
    server.sql(LOOP, f"    {shuffle}\n{LOOP}")
