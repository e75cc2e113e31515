"""M119: errors have the new shape, whichever version the client speaks."""

from __future__ import annotations

from reference_server.auth import errors
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M119",
    "title": "errors have the newest shape for all clients",
    "why": "One shape is enough for one's own client.",
    "names": ["AUTH-25"],
}


def mutate(server: Mutation) -> None:
    """The version from which on the new shape holds is that of everybody."""
    server.wrap(errors, "API_VERSION", lambda _original: "")
