"""How a measured quantity spreads over its samples."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Spread(BaseModel):
    """How a time spreads over its samples, in milliseconds (the field's name says so); None without a sample.

    The percentiles are read from an HdrHistogram of three digits.
    """

    model_config = ConfigDict(extra="forbid")

    count: int = 0
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None
