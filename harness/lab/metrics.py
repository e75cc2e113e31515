"""What a target tells of itself at `/metrics` (the text format of Prometheus): fetched, and as figures of a stretch."""

from __future__ import annotations

import asyncio
import re
import urllib.error
import urllib.request
from collections.abc import Mapping

from harness.target import Target

Sample = Mapping[str, float]
"""The sum of each metric over its labels, by the metric's name."""

_TIMEOUT = 3.0
_LINE = re.compile(rb"^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})? (\S+)", re.MULTILINE)
_MEANS = {
    "lock_wait_ms": ("matchmaking_lock_wait_seconds", 1000.0),
    "batch_joins": ("matchmaking_batch_joins", 1.0),
    "batch_ms": ("matchmaking_batch_duration_seconds", 1000.0),
    "find_match_ms": ("matchmaking_find_match_duration_seconds", 1000.0),
    "feed_lag_ms": ("realtime_feed_lag_seconds", 1000.0),
    "pool_wait_ms": ("database_pool_wait_seconds", 1000.0),
    "loop_lag_ms": ("event_loop_lag_seconds", 1000.0),
}
"""Means of histograms: name, metric, and how many of the unit make one of the metric's."""
_COUNTS = {
    "find_match_calls": "matchmaking_find_match_duration_seconds_count",
    "system_busy": "matchmaking_system_busy_total",
    "cpu_s": "process_cpu_seconds_total",
    "statements": "database_statements_total",
    "frames": "realtime_frames_total",
}
"""What was counted meanwhile."""


async def scraped(target: Target) -> Sample | None:
    """One look at the target's metrics, beside its Supabase URL; None where it has none."""
    return await asyncio.to_thread(_fetched, f"{target.supabase_url}/metrics")


def _fetched(url: str) -> Sample | None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310  # http or https: the target says so
            text = answer.read()
    except (OSError, urllib.error.URLError, ValueError):
        return None
    return read_metrics(text) or None


def read_metrics(text: bytes) -> dict[str, float]:
    """The metrics in an answer, those of one name added up; buckets and what is no number are left out."""
    found: dict[str, float] = {}
    for name, value in _LINE.findall(text):
        if name.endswith(b"_bucket"):
            continue
        try:
            found[name.decode()] = found.get(name.decode(), 0.0) + float(value)
        except ValueError:
            continue
    return found


def between(before: Sample | None, after: Sample | None) -> dict[str, float]:
    """What a target did from one look to the other: means and counts, by our names. Empty without both looks."""
    if before is None or after is None:
        return {}
    found = {}
    for name, (metric, unit) in _MEANS.items():
        count = _grown(before, after, f"{metric}_count")
        if count:
            found[name] = round(unit * _grown(before, after, f"{metric}_sum") / count, 3)
    for name, metric in _COUNTS.items():
        if metric in after and (grown := _grown(before, after, metric)):
            found[name] = round(grown, 3)
    return found


def _grown(before: Sample, after: Sample, name: str) -> float:
    return after.get(name, 0.0) - before.get(name, 0.0)
