"""What several tests of the server use: a clock, values that are nested deep, an expression that takes long."""

from __future__ import annotations

from typing import Any

SLOW = "(.{0,100}){0,100}"
"""A regular expression; PostgreSQL needs the better part of a second to compile it."""


class Clock:
    """Time as the test tells it."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def deep(levels: int) -> dict[str, Any]:
    """An object that is nested so deep."""
    found: dict[str, Any] = {}
    for _ in range(levels - 1):
        found = {"a": found}
    return found
