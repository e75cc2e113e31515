"""M118: errors have the old shape, whichever version the client speaks."""

from __future__ import annotations

from reference_server.auth import errors
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M118",
    "title": "the API version of a request is not looked at",
    "why": "One shape is enough for one's own client.",
    "names": ["AUTH-24"],
}


def mutate(server: Mutation) -> None:
    """The version from which on the new shape holds is never reached."""
    server.wrap(errors, "API_VERSION", lambda _original: "~")
