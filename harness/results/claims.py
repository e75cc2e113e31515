"""What became of the design document's figures and promises: one row for each, measured on both engines."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

ClaimVerdict = Literal["holds", "broken", "not testable here"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClaimFigure(_Model):
    """One measured figure; the unit stands last in its name, as everywhere."""

    value: float
    n: int | None = None
    """How many observations it rests on."""
    interval_95: tuple[float, float] | None = None
    """Of a rate: the 95 % Wilson score interval."""


class ClaimMeasured(_Model):
    """What one engine showed of a claim."""

    verdict: ClaimVerdict
    measured: str = ""
    """What was seen, in one sentence."""
    because: str = ""
    """Why the claim cannot be tested here; empty where it can."""
    figures: dict[str, ClaimFigure] = Field(default_factory=dict)
    requirements: dict[str, str] = Field(default_factory=dict)
    """The status of each requirement of the conformance suite that stands for the claim."""


class ClaimRow(_Model):
    """One figure or promise of the design document.

    A claim about the documented system has its verdict; one about what the document recommends to add (a relay, a rate
    limit) has that of the hardened engine, which has it.
    """

    id: str
    section: str
    """Of the design document."""
    claim: str
    """In its own words."""
    how: str
    """How it was tested, in one sentence."""
    documented: ClaimMeasured
    hardened: ClaimMeasured
    verdict: ClaimVerdict
    note: str = ""
    """What else must be said: what hardened mends, how the figure is to be read."""
