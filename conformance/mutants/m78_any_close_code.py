"""M78: a Close may say anything."""

from __future__ import annotations

from typing import Any

from websockets.frames import Close

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M78",
    "title": "the code of a Close is not looked at",
    "why": "It is over anyway.",
    "names": ["SEC-WS-12"],
}


def mutate(server: Mutation) -> None:
    """Whatever a Close carries is a good end, and is sent back."""

    def parse(_kind: Any, _data: Any) -> Close:
        return Close(1000, "")

    server.wrap(Close, "parse", lambda _original: classmethod(parse))
