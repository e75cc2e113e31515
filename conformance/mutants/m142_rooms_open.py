"""M142: whoever is signed in may read and write the messages of every session."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M142",
    "title": "every talk is open to whoever is signed in",
    "why": "A role check where a membership check was meant.",
    "names": ["MM-S9"],
}


def mutate(server: Mutation) -> None:
    """One more policy, and policies add up."""
    server.add_sql("create policy messages_for_all on public.messages for all to authenticated using (true);")
