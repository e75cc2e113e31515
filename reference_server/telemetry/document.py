"""Writes the table of docs/operation.md: `python -m reference_server.telemetry.document docs/operation.md`."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric

from reference_server.telemetry.facts import Facts
from reference_server.telemetry.metrics import Description, Metrics
from reference_server.telemetry.processes import Processes

BEGIN, END = "<!-- metrics: begin -->\n", "<!-- metrics: end -->\n"


def descriptions() -> list[Description]:
    """Every metric of the server: those that it counts, those of the database, those of the process."""
    facts = Facts(defaultdict(float, any=0.0), {"any": 0.0})
    asked = [*facts.collect(), *Processes(lambda: [os.getpid()]).collect()]
    return [*Metrics(CollectorRegistry()).described, *(_described(family) for family in asked)]


def _described(family: Metric) -> Description:
    return Description(family.name, family.type, tuple(family.samples[0].labels), family.documentation)


def table(metrics: Iterable[Description]) -> str:
    """The table in Markdown."""
    rows = ["| metric | kind | labels | meaning |", "| --- | --- | --- | --- |"]
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |")
    return "\n".join([*rows, ""])


def with_table(page: str) -> str:
    """The page with the table of now. Raises ValueError where the page has no place for it."""
    before, began, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (began and ended):
        raise ValueError(f"the page has no lines {BEGIN.strip()} and {END.strip()}")
    return before + BEGIN + table(descriptions()) + END + after


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
