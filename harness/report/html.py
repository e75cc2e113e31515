"""A stored run as one HTML page that needs nothing else: no scripts, no fonts, no network."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.report.ceiling import HEAD, ceiling_views
from harness.report.charts import NARROW, figures
from harness.report.claims import seen
from harness.report.conformance import anchor, conformance_report
from harness.report.connections import NOTES, connections_views
from harness.report.every import every_figure
from harness.report.rows import (
    conformance_of,
    figure_rows,
    figures_of,
    findings_of,
    notes,
    requirement_rows,
    scenario_notes,
    shortened,
    witness_lines,
)
from harness.report.timeline import timeline
from harness.results.run import SCHEMA, ClaimsRun, ConformRun, ConformSetRun
from harness.results.store import StoredRun

_TITLES = {
    "bench": "Two engines, side by side", "conform": "Conformance", "conform-set": "Conformance",
    "swarm": "A swarm of users",
    "peers": "Pairs of peers", "judge": "A history, judged again",
    "claims": "What the design document says",
    "ceiling": "The ceiling",
}  # fmt: skip
_GOOD = {"held", "valid", "pass", "conformant", "holds"}
_BAD = {"broke", "invalid", "fail", "not-conformant", "broken"}
_NONE = {"not-verified", "not-applicable", "not testable here"}

_PAGES = Environment(
    loader=PackageLoader("harness.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)

_PAGES.filters["anchor"] = anchor


def page(run: StoredRun, name: str = "") -> str:
    """The page of a run.

    Args:
        run: any kind of stored run.
        name: what the run is called, usually the name of its folder.
    """
    if isinstance(run, ConformRun | ConformSetRun):
        return _conformance_page(run, name)
    targets, conformance = figures_of(run), conformance_of(run)
    return _PAGES.get_template("page.html.j2").render(
        **_frame(run, name), verdict=run.verdict.value, notes=notes, scenario=scenario_notes(run),
        targets=targets, rows=figure_rows(targets) if targets else [], figures=figures(targets),
        conformance=conformance, requirements=requirement_rows(conformance), findings=findings_of(run),
        ceilings=ceiling_views(targets), ceiling_head=HEAD,
        views=connections_views(targets), connection_notes=NOTES,
        claims=run.claims if isinstance(run, ClaimsRun) else (), in_words=seen,
    )  # fmt: skip


def _conformance_page(run: ConformRun | ConformSetRun, name: str) -> str:
    """The page of a conformance run: verdicts, what is wrong, what is not known, and every requirement."""
    return _PAGES.get_template("conformance.html.j2").render(**_frame(run, name), report=conformance_report(run))


def _frame(run: StoredRun, name: str) -> dict[str, object]:
    """What every page says, and the words that every page uses."""
    return {
        "run": run, "name": name, "title": _TITLES[run.kind], "made": run.fingerprint.created.replace("T", " "),
        "schema": SCHEMA, "tone": tone, "shortened": shortened, "witness": witness_lines, "timeline": timeline,
        "narrow": NARROW, "every": every_figure(run),
    }  # fmt: skip


def tone(word: str) -> str:
    """How a verdict or status is coloured: good, bad, none, or empty for doubt."""
    if word in _GOOD:
        return "good"
    if word in _BAD:
        return "bad"
    return "none" if word in _NONE else ""
