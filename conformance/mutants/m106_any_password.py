"""M106: a password may be as short as it likes."""

from __future__ import annotations

from reference_server.auth import passwords
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M106",
    "title": "short passwords are taken",
    "why": "Checked in the form, and nowhere else.",
    "names": ["AUTH-07"],
}


def mutate(server: Mutation) -> None:
    """One character is enough."""
    server.wrap(passwords, "SHORTEST", lambda _original: 1)
