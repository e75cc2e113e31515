"""The ceiling of a target: the steps by which it was sought, the last that held, and what broke first above it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

AGREE = 0.15
"""Two searches on the same target agree within this share: a rung and a half of the grid."""

StepVerdict = Literal["held", "broke", "unknown"]


def holding(steps: Sequence[bool]) -> bool | None:
    """Whether a rate holds, by what became of each step at it: the majority; None where there is none."""
    held = sum(steps)
    broke = len(steps) - held
    return None if held == broke else held > broke


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Step(_Model):
    """One step: so many users per second, against a target in which nobody was left from the step before."""

    users_per_s: float
    """What was asked for."""
    offered_per_s: float | None = None
    """Users who were due, per second."""
    achieved_per_s: float | None = None
    """Joins that were answered, per second."""
    users: int = 0
    correct_matches: int = 0
    correct_matches_per_s: float = 0.0
    join_p99_ms: float | None = None
    join_to_match_p99_ms: float | None = None
    verdict: StepVerdict
    """Unknown: the generator, and not the target, was at its limit."""
    broke: tuple[str, ...] = ()
    """What broke: requirements by id, budgets by name, thresholds as they were written."""
    cause: str = ""
    """The same with its figures."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """What the target told of itself while users came (docs/swarms.md); empty where it tells nothing."""


class Ceiling(_Model):
    """The highest rate at which everything held, and why not more."""

    users_per_s: float | None = None
    """Of the last step that held; None where none did."""
    correct_matches_per_s: float | None = None
    """The same step's."""
    broke_users_per_s: float | None = None
    """Of the lowest step that did not hold."""
    generator_was_limit: bool = False
    """Then the ceiling is that rate at least, and nobody knows it."""
    broke: tuple[str, ...] = ()
    cause: str = ""
    """What broke first, with what the target said of itself at that moment."""
    metrics: dict[str, float] = Field(default_factory=dict)
    """The same step's, of which `cause` speaks."""
    steps: tuple[Step, ...] = ()
    """All steps in the order in which they were made."""
