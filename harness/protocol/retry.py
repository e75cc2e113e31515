"""When to try again: the delays of the official client, and what Retry-After says."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_DELAYS = (1.0, 2.0, 5.0, 10.0)


def rejoin_delay(attempt: int) -> float:
    """Seconds before attempt 1, 2, 3 … to reconnect a socket or to rejoin a channel (PROTOCOL 1.9)."""
    return _DELAYS[min(max(attempt, 1), len(_DELAYS)) - 1]


def retry_after(header: str | None, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or as a date (RFC 9110 section 10.2.3).

    None where there is no header or it says nothing that can be read; a date in the past is 0.
    """
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())
