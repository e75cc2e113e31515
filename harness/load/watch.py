"""How punctual a loop is, and how busy its process: measured on the loop itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from hdrh.histogram import HdrHistogram

_EVERY = 0.02
_HIGHEST_US = 600_000_000


class LoopWatch:
    """Sleeps again and again, and notes how much later than it should each sleep ends.

    A lag that covers several sleeps counts for each of them, as if they had not waited for it (the histogram's
    correction): so the percentiles are those of all moments, and not of the moments at which the loop was free.

    Args:
        wall: monotonic seconds.
        busy: seconds of CPU time that this process has used, over all its threads.
    """

    def __init__(
        self, wall: Callable[[], float] = time.monotonic, busy: Callable[[], float] = time.process_time
    ) -> None:
        self._wall, self._busy = wall, busy
        self._frozen: dict[str, float] | None = None
        self._lags = HdrHistogram(1, _HIGHEST_US, 3)
        self._began, self._used = wall(), busy()

    async def run(self, after: float = 0.0) -> None:
        """Watches until it is cancelled, once some seconds have passed: while users sign up, nothing is measured."""
        await asyncio.sleep(after)
        self._began, self._used = self._wall(), self._busy()
        before = self._wall()
        while True:
            await asyncio.sleep(_EVERY)
            now = self._wall()
            self.lagged(now - before - _EVERY)
            before = now

    def lagged(self, seconds: float) -> None:
        """Notes one lag."""
        lag = min(_HIGHEST_US, max(1, round(seconds * 1e6)))
        self._lags.record_corrected_value(lag, round(_EVERY * 1e6))

    def all_in(self) -> None:
        """From now on the figures stay as they are: what follows is waiting, and would only flatter them."""
        self._frozen = self.figures()

    def figures(self) -> dict[str, float]:
        """The lags in milliseconds, and the share of a core."""
        return self._frozen or {
            "loop_lag_p99_ms": self._lags.get_value_at_percentile(99.0) / 1000,
            "loop_lag_max_ms": self._lags.get_max_value() / 1000,
            "cpu": self._cpu(),
        }

    def _cpu(self) -> float:
        passed = self._wall() - self._began
        return (self._busy() - self._used) / passed if passed > 0 else 0.0
