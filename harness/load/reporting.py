"""Spans of journeys as rows of Locust's statistics, with their true times."""

from __future__ import annotations

import time
from typing import Any

from harness.actor.journey import Span

_TITLES = {
    "join": "1 due → join answered",
    "match": "2 due → matched",
    "signal": "3 matched → signals exchanged",
    "connect": "3 matched → data both ways",
    "talk": "4 matched → session over",
}


class SpanFailed(Exception):
    """A span ended badly; its text is what Locust shows."""


class Reporting:
    """Fires Locust's request event for each span.

    Args:
        events: Locust's events of the environment.
        offset: wall clock minus the recorder's clock, in seconds, for the start times that Locust wants.
    """

    def __init__(self, events: Any, offset: float | None = None) -> None:
        self._events = events
        self._offset = time.time() - time.monotonic() if offset is None else offset

    def report(self, span: Span) -> None:
        """Reports one span. To be called on gevent's side."""
        self._events.request.fire(
            request_type="span",
            name=_TITLES.get(span.name, span.name),
            response_time=span.seconds * 1000,
            response_length=0,
            start_time=span.started + self._offset,
            exception=SpanFailed(span.error) if span.error else None,
            context={},
        )
