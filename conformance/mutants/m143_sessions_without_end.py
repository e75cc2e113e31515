"""M143: nothing ends a session that is too old."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M143",
    "title": "old sessions never end",
    "why": "A clean-up that somebody has to start by hand, as in the document.",
    "names": ["MM-L8"],
}


def mutate(server: Mutation) -> None:
    """The sweep passes them over."""
    server.sql("where s.status = 'active'\n", "where false\n")
