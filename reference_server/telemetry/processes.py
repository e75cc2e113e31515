"""The memory and the files of this process, or of all workers together, as the kernel tells of them at a scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from prometheus_client import Metric, ProcessCollector
from prometheus_client.core import GaugeMetricFamily

COMBINED: dict[str, Callable[[Sequence[float]], float]] = {
    "process_resident_memory_bytes": sum,
    "process_virtual_memory_bytes": sum,
    "process_open_fds": sum,
    "process_max_fds": min,
    "process_start_time_seconds": min,
}
"""What is told, and how several processes make one figure. CPU time is counted: it must not fall when one ends."""


class Processes:
    """A collector. `pids` says whom to ask about; a process that has ended meanwhile is left out."""

    def __init__(self, pids: Callable[[], Sequence[int]]) -> None:
        self._pids = pids

    def collect(self) -> Iterable[Metric]:
        """The gauges of the library's collector, put together."""
        found: dict[str, tuple[str, list[float]]] = {}
        for pid in self._pids():
            for metric in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                if metric.name in COMBINED:
                    found.setdefault(metric.name, (metric.documentation, []))[1].append(metric.samples[0].value)
        for name, (text, figures) in found.items():
            yield GaugeMetricFamily(name, text, value=COMBINED[name](figures))
