"""What a match costs: exact counters of a run, by its correct matches."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

TOLERANCES = {"statements": 0.1, "wal_bytes": 0.1, "dead_tuples": 0.1, "frames": 0.1}
"""By so large a share may a counter of the same load differ from run to run: polls and batches fall as they fall."""


class Costs(BaseModel):
    """Counters of a whole run, sign-up and all, each divided by the correct matches; None where nobody counts it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    correct_matches: int
    statements: float | None = None
    """Sent by the server to the database."""
    wal_bytes: float | None = None
    """Written to the database's log."""
    dead_tuples: float | None = None
    """Rows that updates and deletes left behind."""
    frames: float | None = None
    """Messages over the Realtime sockets, both ways."""
