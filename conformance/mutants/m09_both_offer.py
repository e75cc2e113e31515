"""M09: each member of a match is told that he is the one who offers."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M09",
    "title": "both are told to offer",
    "why": "Who offers is left to what each side makes of its own view of the match.",
    "names": ["SG-S4"],
}


def mutate(server: Mutation) -> None:
    """The reply to the later comer names him, and the row that the earlier one is told of names that one."""
    server.sql("select p.later, p.earlier, p.later, 'active'", "select p.later, p.earlier, p.earlier, 'active'")
    server.sql("c.partner_id, s.offerer_id,", "c.partner_id, c.user_id,")
    server.sql("p.partner, s.offerer_id,", "p.partner, c.user_id,")
