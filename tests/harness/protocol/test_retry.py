"""Delays: those of the official client, and those that a target asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harness.protocol.retry import rejoin_delay, retry_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_rejoins_wait_1_2_5_and_then_10_seconds() -> None:
    """PROTOCOL 1.9."""
    assert [rejoin_delay(attempt) for attempt in range(7)] == [1, 1, 2, 5, 10, 10, 10]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0.0),
        (" 30 ", 30.0),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """RFC 9110 section 10.2.3."""
    assert retry_after(header, NOW) == seconds
