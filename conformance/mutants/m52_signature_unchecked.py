"""M52: a token is read, and not verified."""

from __future__ import annotations

from typing import Any

from reference_server.auth import tokens
from reference_server.auth.tokens import TokenVerifier
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M52",
    "title": "the signature of a token is not verified",
    "why": "decode where verify was meant: the two stand beside each other in most libraries.",
    "names": [
        "SEC-JWT-01", "SEC-JWT-02", "SEC-JWT-03", "SEC-JWT-04", "SEC-JWT-05", "SEC-JWT-06",
        "SEC-JWT-07", "SEC-JWT-08", "SEC-JWT-09", "SEC-JWT-10", "SEC-JWT-11", "SEC-JWT-12",
        "SEC-JWT-28",
        "SEC-WS-27",
    ],
}  # fmt: skip


def mutate(server: Mutation) -> None:
    """The second part of the token is taken as it is."""

    def decode(_verifier: Any, token: str) -> dict[str, Any]:
        parts = token.split(".")
        return tokens._object(parts[1] if len(parts) > 1 else "")

    server.wrap(TokenVerifier, "_decode", lambda _original: decode)
