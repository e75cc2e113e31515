"""M59: of two values of one claim the first counts."""

from __future__ import annotations

import json
from typing import Any

from reference_server.auth import tokens
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M59",
    "title": "of a claim that comes twice the first is believed",
    "why": "Two parsers in one path, each with a rule of its own.",
    "names": ["SEC-JWT-23"],
}


def mutate(server: Mutation) -> None:
    """Names may come twice, and the first wins."""

    def first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(reversed(pairs))

    def read(part: str) -> dict[str, Any]:
        try:
            value = json.loads(tokens._decoded(part), object_pairs_hook=first_wins)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise tokens.TokenError("malformed", tokens._UNREADABLE)
        return value

    server.wrap(tokens, "_object", lambda _original: read)
