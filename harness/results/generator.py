"""How the load generator itself did: what a reader must know before he believes its figures."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GeneratorHealth(BaseModel):
    """The processes that made the load, together; where they differ, the worst of them."""

    model_config = ConfigDict(extra="forbid")

    workers: int = 0
    model: Literal["open", "closed"] = "open"
    """Open: users came when they were due. Closed: the next came when one was through; a slow target is asked less."""
    arrivals: str = ""
    """The text of the schedule."""
    mix: dict[str, str] = Field(default_factory=dict)
    """Who came, by persona: how often in proportion to the others, and what each does."""
    offered: int = 0
    """Users who were to come; in a closed model those who came."""
    started: int = 0
    dropped: int = 0
    """Users who found no room, or could not enter, or whom a lost process should have started."""
    kept_out: int = 0
    """Of the dropped: those who could not enter the target."""
    lost_workers: int = 0
    """Processes that were killed, or out of reach, before their users had gone."""
    lost: int = 0
    """Of the dropped: those whom a lost process should have started."""
    latest_ms: float = 0.0
    """By how much the latest join missed its due time."""
    loop_lag_p99_ms: float = 0.0
    """How late a loop woke, at 99 % of all moments; what it measures may be that much too high."""
    loop_lag_max_ms: float = 0.0
    cpu: float = 0.0
    """CPU time of a process by the time that passed, from its first user to its last join: 1 is a whole core."""
    memory_mb: float = 0.0
    """What a process had in memory at the end."""
    kb_per_user: float | None = None
    """By how much a process had grown for each user when the most were there; None for fewer than 200 of them."""
    trouble: str = ""
    """What of this was past its bound, in one sentence; empty when nothing was. Then the run is `unknown`."""
