"""Charts: what is drawn, and what is left out."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from harness.report.charts import BARS, figures
from harness.results.finding import Verdict
from harness.results.run import BenchRun, TargetFigures, Timeline


def test_each_chart_is_drawn_twice(bench: BenchRun) -> None:
    """Once for a screen and once for a phone, both well-formed and free of a fixed size."""
    drawn = figures(bench.targets)
    assert [figure.name for figure in drawn] == ["matches", "latency", "waiting"]
    for svg in (picture for figure in drawn for picture in (figure.wide, figure.narrow)):
        root = ET.fromstring(svg)
        assert "viewBox" in root.attrib and "width" not in root.attrib


def test_nothing_is_drawn_of_nothing() -> None:
    """A target without samples has no charts, rather than empty axes."""
    assert figures([TargetFigures(name="staging", verdict=Verdict.UNKNOWN)]) == []


def test_a_long_run_is_folded() -> None:
    """An hour in tenths of a second becomes a picture of few bars, not one of 36,000."""
    long = Timeline(step=0.1, matches_per_s=(1.0,) * 36_000)
    svg = figures([TargetFigures(name="staging", verdict=Verdict.VALID, timeline=long)])[0].wide
    assert len(svg) < 40_000 and svg.count("L") < 20 * BARS


def test_one_moment_can_be_drawn() -> None:
    """A run with a single step has a bar of that step's width."""
    short = Timeline(step=0.1, matches_per_s=(10.0,), waiting=(0,))
    assert len(figures([TargetFigures(name="staging", verdict=Verdict.VALID, timeline=short)])) == 2
