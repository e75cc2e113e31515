"""A stored run as one HTML page that needs nothing else: no scripts, no fonts, no network."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.report.charts import NARROW, figures
from harness.report.rows import (
    conformance_of,
    figure_rows,
    figures_of,
    findings_of,
    notes,
    requirement_rows,
    shortened,
    witness_lines,
)
from harness.report.timeline import timeline
from harness.results.finding import Verdict
from harness.results.run import SCHEMA
from harness.results.store import StoredRun

_TITLES = {
    "bench": "Two engines, side by side", "conform": "Conformance", "swarm": "A swarm of users",
    "peers": "Pairs of peers", "judge": "A history, judged again",
}  # fmt: skip
_GOOD = {"valid", "pass", "conformant"}
_BAD = {"invalid", "fail", "not-conformant"}
_NONE = {"not-verified", "not-applicable"}

_PAGES = Environment(
    loader=PackageLoader("harness.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def page(run: StoredRun, name: str = "") -> str:
    """The page of a run.

    Args:
        run: any kind of stored run.
        name: what the run is called, usually the name of its folder.
    """
    targets, conformance = figures_of(run), conformance_of(run)
    verdict = run.verdict.value if isinstance(run.verdict, Verdict) else run.verdict
    return _PAGES.get_template("page.html.j2").render(
        run=run, title=_TITLES[run.kind], name=name, made=run.fingerprint.created.replace("T", " "),
        verdict=verdict, schema=SCHEMA, tone=tone, notes=notes, shortened=shortened,
        witness=witness_lines, timeline=timeline, narrow=NARROW,
        targets=targets, rows=figure_rows(targets) if targets else [], figures=figures(targets),
        conformance=conformance, requirements=requirement_rows(conformance), findings=findings_of(run),
    )  # fmt: skip


def tone(word: str) -> str:
    """How a verdict or status is coloured: good, bad, none, or empty for doubt."""
    if word in _GOOD:
        return "good"
    if word in _BAD:
        return "bad"
    return "none" if word in _NONE else ""
