"""M58: the user's id is searched for in whatever sub holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from reference_server.auth import tokens
from reference_server.auth.claims import Claims
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M58",
    "title": "the sub of a token may be anything with an id in it",
    "why": "Conversions that always succeed.",
    "names": ["SEC-JWT-22"],
}


ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def mutate(server: Mutation) -> None:
    """The first id in the text of sub is the user."""

    def searching(original: Callable[..., Claims]) -> Callable[..., Claims]:
        def read(raw: dict[str, Any], *rest: Any) -> Claims:
            found = ID.search(str(raw.get("sub")))
            return original({**raw, "sub": found.group()} if found else raw, *rest)

        return read

    server.wrap(tokens, "_read_claims", searching)
