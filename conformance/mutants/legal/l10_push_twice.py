"""L10: what is pushed of a session is pushed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from reference_server.mutation import Mutation
from reference_server.realtime.delivery import Plan

MUTANT = {
    "id": "L10",
    "title": "at-least-once push with duplicates",
    "why": "Delivery that is repeated rather than lost: new sessions and what becomes of them.",
    "legal": True,
}


def mutate(server: Mutation) -> None:
    """Each change of a session is told twice, one frame after the other."""

    def twice(original: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def frames(*arguments: Any, **options: Any) -> Iterator[Any]:
            for channel, frame in original(*arguments, **options):
                yield channel, frame
                if '"chat_sessions"' in frame:
                    yield channel, frame

        return frames

    server.wrap(Plan, "frames", twice)
