"""A run in the formats of those who keep and plot figures: pure, figures in and text out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from harness.results.finding import Verdict
from harness.results.run import BenchRun, ConformRun, ConformSetRun, TargetFigures
from harness.results.spread import Spread
from harness.results.store import StoredRun

Better = Literal["smaller", "bigger"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one target as the consumers want it; low and high are its 95 % interval, where it has one."""

    target: str
    name: str
    value: float
    unit: str
    better: Better
    low: float | None = None
    high: float | None = None


def figures_to_export(run: StoredRun) -> list[Figure]:
    """The figures of a run, those that are void left out: of a target that is not valid only what it broke remains."""
    found = [figure for target in getattr(run, "targets", ()) for figure in _measured(target)]
    return found + [figure for suite in _suites(run) for figure in _checked(suite)]


def _measured(target: TargetFigures) -> Iterator[Figure]:
    yield Figure(target.name, "violations", sum(target.violations.values()), "findings", "smaller")
    if target.verdict is not Verdict.VALID:
        return
    if target.matches:
        yield Figure(target.name, "correct_matches_per_s", target.correct_matches_per_s, "matches/s", "bigger")
    if target.joins:
        yield Figure(target.name, "unmatched_users", target.unmatched_users, "users", "smaller")
    yield from _spread(target.name, "join_ms", target.join_ms)
    yield from _spread(target.name, "join_to_match_ms", target.join_to_match_ms)
    yield from _spread(target.name, "both_notified_ms", target.both_notified_ms)
    if target.pairs.success_rate is not None:
        low, high = target.pairs.interval_95 or (None, None)
        yield Figure(target.name, "pairs.success_rate", target.pairs.success_rate, "ratio", "bigger", low, high)
    yield from _spread(target.name, "pairs.time_to_connect_ms", target.pairs.time_to_connect_ms)
    if target.joining is not None:
        rate = target.joining
        yield Figure(target.name, "joining.joins_per_s", rate.joins_per_s, "joins/s", "bigger")
        yield Figure(target.name, "joining.correct_matches_per_s", rate.correct_matches_per_s, "matches/s", "bigger")


def _spread(target: str, name: str, spread: Spread) -> Iterator[Figure]:
    for point in ("p50", "p95", "p99"):
        value = getattr(spread, point)
        if value is not None:
            yield Figure(target, f"{name}.{point}", value, "ms", "smaller")


def _checked(suite: ConformRun) -> Iterator[Figure]:
    statuses = [result.status for result in suite.requirements]
    yield Figure(suite.target, "requirements.pass", statuses.count("pass"), "requirements", "bigger")
    yield Figure(suite.target, "requirements.fail", statuses.count("fail"), "requirements", "smaller")


def _suites(run: StoredRun) -> tuple[ConformRun, ...]:
    if isinstance(run, ConformRun):
        return (run,)
    return run.conformance if isinstance(run, BenchRun | ConformSetRun) else ()


# ---------------------------------------------------------------- formats


def github_benchmark(runs: Sequence[StoredRun], better: Better) -> str:
    """For benchmark-action/github-action-benchmark: `customSmallerIsBetter` or `customBiggerIsBetter` of the last run.

    Source: https://github.com/benchmark-action/github-action-benchmark, "Examples", custom benchmarks in JSON.
    """
    run = runs[-1]
    rows = [_row(figure, run) for figure in figures_to_export(run) if figure.better == better]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _row(figure: Figure, run: StoredRun) -> dict[str, str | float]:
    row: dict[str, str | float] = {
        "name": f"{figure.target}: {figure.name}", "unit": figure.unit, "value": figure.value,
        "extra": f"{run.kind} {run.fingerprint.created} {run.fingerprint.commit}".strip(),
    }  # fmt: skip
    if figure.low is not None and figure.high is not None:
        row["range"] = f"{figure.low:g} to {figure.high:g}"
    return row


def bencher(runs: Sequence[StoredRun]) -> str:
    """Bencher Metric Format: a benchmark for each target, a measure for each figure of the last run.

    Source: https://bencher.dev/docs/reference/bencher-metric-format (schema: https://bencher.dev/bmf.json).
    """
    kind = getattr(runs[-1], "scenario", "") or runs[-1].kind
    found: dict[str, dict[str, dict[str, float]]] = {}
    for figure in figures_to_export(runs[-1]):
        metric = {"value": figure.value}
        if figure.low is not None and figure.high is not None:
            metric |= {"lower_value": figure.low, "upper_value": figure.high}
        measure = figure.name.replace("_", "-").replace(".", "-")
        found.setdefault(f"{figure.target} {kind}", {})[measure] = metric
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def otava(runs: Sequence[StoredRun]) -> str:
    """CSV for Apache Otava: a row for each run, oldest first: `time`, `commit`, then each figure of the last run.

    Source: https://github.com/apache/otava, "Importing results from CSV": `time_column: time`, `attributes: [commit]`.
    It takes no empty cell, so that a run that lacks one of the figures (they were void, say) is left out.
    """
    ordered = sorted(runs, key=lambda run: run.fingerprint.created)
    rows = [{f"{one.target}.{one.name}": one.value for one in figures_to_export(run)} for run in ordered]
    names = list(rows[-1])
    out = io.StringIO()
    writer = csv.DictWriter(out, ["time", "commit", *names], extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for run, row in zip(ordered, rows, strict=True):
        if row.keys() >= set(names):
            writer.writerow({"time": run.fingerprint.created, "commit": run.fingerprint.commit or "unknown", **row})
    return out.getvalue()


class _Figures(Collector):
    """The figures of one run, as prometheus_client wants them."""

    def __init__(self, run: StoredRun) -> None:
        self.run = run

    def collect(self) -> Iterator[Metric]:
        """A gauge for each name, with the target as its label."""
        families: dict[str, GaugeMetricFamily] = {}
        for figure in figures_to_export(self.run):
            name, _, point = figure.name.replace("pairs.", "pairs_").replace("joining.", "joining_").partition(".")
            quantile = (
                {"quantile": f"0.{point[1:]}".rstrip("0")} if point.startswith("p") and point[1:].isdigit() else {}
            )
            full = f"gurukul_{name}" if quantile or not point else f"gurukul_{name}_{point}"
            labels = {"target": figure.target, **quantile}
            family = families.setdefault(
                full, GaugeMetricFamily(full, f"{figure.name} in {figure.unit}", labels=list(labels))
            )
            family.add_metric(list(labels.values()), figure.value)
        yield from families.values()


def openmetrics(runs: Sequence[StoredRun]) -> str:
    """OpenMetrics text of the last run, as a push gateway or a text file collector takes it.

    Source: https://prometheus.io/docs/specs/om/open_metrics_spec.
    """
    registry = CollectorRegistry()
    registry.register(_Figures(runs[-1]))
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode()


def badge(runs: Sequence[StoredRun]) -> str:
    """The badge of the last run, as shields.io draws it from a URL.

    Source: https://shields.io/badges/endpoint-badge.
    """
    verdict = str(runs[-1].verdict)
    color = _COLORS.get(verdict, "lightgrey")
    said = {"schemaVersion": 1, "label": f"gurukul {runs[-1].kind}", "message": verdict, "color": color}
    return json.dumps(said) + "\n"


_COLORS = {
    "valid": "brightgreen", "conformant": "brightgreen", "partial": "yellowgreen", "invalid": "red",
    "not-conformant": "red",
}  # fmt: skip


def markdown(runs: Sequence[StoredRun]) -> str:
    """The last run as a heading, its verdict and a table of its figures, for a comment or the summary of a job."""
    run = runs[-1]
    lines = [f"### gurukul {run.kind}: {run.verdict}", "", _plain(run.reason), ""]
    figures = figures_to_export(run)
    if figures:
        lines += ["| target | figure | value | unit |", "| --- | --- | ---: | --- |"]
        lines += [f"| {one.target} | {one.name} | {one.value:,.4g} | {one.unit} |" for one in figures]
    failed = [(suite.target, one) for suite in _suites(run) for one in suite.requirements if one.status == "fail"]
    lines += [f"\n- {target} breaks **{one.id}** {one.title}: {_plain(one.detail)}" for target, one in failed]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """What a target said may not become markup."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "&#124;")


FORMATS: dict[str, Callable[[Sequence[StoredRun]], str]] = {
    "bencher": bencher, "otava": otava, "openmetrics": openmetrics, "markdown": markdown, "badge": badge,
}  # fmt: skip
"""Those that need nothing but runs; `github-benchmark` and `junit` stand beside them (harness.cli.export)."""
