"""M111: a refresh token works for as long as its session does."""

from __future__ import annotations

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M111",
    "title": "the reuse of a refresh token is no offence",
    "why": "A reuse interval of a day, so that two tabs get along.",
    "names": ["AUTH-13", "AUTH-14"],
}


def mutate(server: Mutation) -> None:
    """Whoever shows an old one gets the new one."""
    server.set(refresh_reuse_interval=86_400.0)
