"""M156: who was asked for a friendship may make it one with somebody else."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M156",
    "title": "who accepts a friendship may change with whom",
    "why": "A policy that asks who the receiver is, and a grant on all columns: the requester can be anybody.",
    "names": ["REST-RLS-15"],
}


FORGED = """
drop trigger keep_friendship on public.study_connections;
"""


def mutate(server: Mutation) -> None:
    """The row keeps neither of its people."""
    server.add_sql(FORGED)
