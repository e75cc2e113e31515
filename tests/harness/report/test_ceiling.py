"""The ceiling in a report: a sentence, a table of the steps from slow to quick, and a curve."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from io import StringIO

from rich.console import Console

from harness.report.ceiling import ceiling_views, sentence
from harness.report.charts import figures
from harness.report.html import page
from harness.report.rows import figure_rows
from harness.report.terminal import summary
from harness.results.ceiling import Ceiling, Step
from harness.results.costs import Costs
from harness.results.finding import Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.run import SwarmRun, TargetFigures

STEPS = (
    Step(users_per_s=10, achieved_per_s=10, correct_matches_per_s=5, join_to_match_p99_ms=112, verdict="held"),
    Step(
        users_per_s=40, achieved_per_s=40, correct_matches_per_s=11, verdict="broke", broke=("MM-S1",),
        cause="MM-S1 × 7",
    ),
    Step(users_per_s=20, achieved_per_s=20, correct_matches_per_s=10, join_to_match_p99_ms=64, verdict="held"),
)  # fmt: skip
CEILING = Ceiling(
    users_per_s=20, correct_matches_per_s=10, broke_users_per_s=40, broke=("MM-S1",),
    cause="MM-S1 × 7 — lock contention",
    metrics={"system_busy": 9.0}, steps=STEPS,
)  # fmt: skip
COSTS = Costs(correct_matches=80, statements=9.8, wal_bytes=2804.4, dead_tuples=1.5)
TARGET = TargetFigures(name="documented", verdict=Verdict.VALID, ceiling=CEILING, costs=COSTS)
RUN = SwarmRun(
    fingerprint=Fingerprint(created="2025-01-02T03:04:05+00:00"),
    verdict=Verdict.VALID,
    scenario="joins",
    targets=(TARGET,),
)


def test_steps_stand_from_slow_to_quick() -> None:
    """Whatever the order in which they were made, each with what broke."""
    (view,) = ceiling_views([TARGET, TargetFigures(name="other", verdict=Verdict.VALID)])
    assert [row[0] for row in view.rows] == ["10", "20", "40"]
    assert view.rows[2] == ("40", "40.0", "11.0", "–", "broke", "MM-S1 × 7")
    assert view.sentence == "20 users/s held, 10 correct matches/s; at 40 users/s: MM-S1 × 7 — lock contention"


def test_what_is_not_known_is_said() -> None:
    """At least so much, or nothing."""
    known = CEILING.model_copy(update={"generator_was_limit": True})
    assert sentence(known).startswith("at least 20 users/s held")
    assert sentence(CEILING.model_copy(update={"broke_users_per_s": None})).endswith("nothing broke")
    assert sentence(Ceiling(cause="MM-S1 × 1")).startswith("no step held")
    rows = {row.label: row.cells for row in figure_rows([TARGET])}
    assert rows["ceiling"] == ("10.0 at 20",)
    assert rows["cost of a match"] == ("9.8 / 2,804 / 1.5 / –",)


def test_terminal_and_page_show_it() -> None:
    """The table, the sentence, the curve in both widths, and every figure."""
    console = Console(width=160, record=True, file=StringIO())
    console.print(summary(RUN))
    text = console.export_text()
    assert "ceiling: documented" in text and "MM-S1 × 7 — lock contention" in text
    html = page(RUN)
    assert "The ceiling of documented" in html and 'id="ceiling"' in html
    assert "system_busy" in html
    curve = next(figure for figure in figures([TARGET]) if figure.name == "ceiling")
    for svg in (curve.wide, curve.narrow):
        assert "users per s" in svg and "width" not in ET.fromstring(svg).attrib
