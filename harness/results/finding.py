"""A finding: one requirement that a history breaks, with the few ops that show it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Verdict(StrEnum):
    """What a history says about a target."""

    VALID = "valid"
    UNKNOWN = "unknown"
    INVALID = "invalid"


class Finding(BaseModel):
    """A requirement that was not met.

    `sentence` names users, sessions and times so that a person understands it alone; `witness` holds the 2 to 6 ops
    (as they stand in the history) that prove it, oldest first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    requirement: str
    sentence: str
    users: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    at: float = 0.0
    """When it became certain, in seconds of the history's clock."""
    witness: tuple[dict[str, Any], ...] = ()


class CheckResult(BaseModel):
    """What one checker says of one history: `checked` counts the cases it looked at (0 is vacuous: unknown)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requirement: str
    checked: int
    findings: tuple[Finding, ...] = ()
    detail: str = ""

    @property
    def verdict(self) -> Verdict:
        """Invalid with a finding, unknown when nothing was checked, else valid."""
        if self.findings:
            return Verdict.INVALID
        return Verdict.VALID if self.checked else Verdict.UNKNOWN


class Judgement(BaseModel):
    """What all checkers say of one history, and what follows from it."""

    model_config = ConfigDict(extra="forbid")

    verdict: Verdict
    reason: str
    """Why, in one sentence; for `unknown`, what was missing."""
    results: tuple[CheckResult, ...] = ()
    joins: int = 0
    matches: int = 0
    correct_matches: int = 0
    unmatched_users: int = 0
    contended_joins: int = 0
    """Joins that overlapped another user's join in time."""
    violations: dict[str, int] = Field(default_factory=dict)
    """Findings by requirement, those with none left out."""
    warnings: dict[str, int] = Field(default_factory=dict)
    """As `violations`, of requirements that say SHOULD: they make nothing invalid."""
    stopped: str = ""
    """That the target stopped answering before the end, and when; empty where it did not."""
