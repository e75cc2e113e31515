"""Spans as rows of Locust's statistics."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from harness.actor.journey import Span
from harness.load.reporting import Reporting


def fired(span: Span) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    events = SimpleNamespace(request=SimpleNamespace(fire=lambda **row: rows.append(row)))
    Reporting(events, offset=1000.0).report(span)
    (row,) = rows
    return row


def test_a_span_keeps_its_true_times():
    """Milliseconds as Locust wants them; the start on the wall clock is the span's own, not that of its report."""
    row = fired(Span("match", 5.0, 1.25))
    assert row["name"] == "2 due → matched"
    assert row["response_time"] == 1250.0
    assert row["start_time"] == 1005.0
    assert row["exception"] is None


def test_a_span_that_went_wrong_is_a_failure_with_its_words():
    """What went wrong is what Locust's error report shows."""
    assert str(fired(Span("connect", 0.0, 1.0, "dtls"))["exception"]) == "dtls"
