"""How fast a target lets users join who come as fast as they are answered."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class JoinRate(BaseModel):
    """Joins by `at_once` joiners, each join by a user of his own; closed-loop, and so a ceiling and no latency."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_once: int
    mode: str
    joins: int
    joins_per_s: float
    correct_matches: int
    """Sessions of which no member is in another one."""
    correct_matches_per_s: float
    """Those that stood when the last join was answered."""
    noop_per_s: float
    """What the same server answers to a POST that does nothing."""

    @property
    def of_noop(self) -> float:
        """Joins as a share of the requests that do nothing."""
        return self.joins_per_s / self.noop_per_s if self.noop_per_s else 0.0
