"""Charts of a run as inline SVG: matches over time, users waiting, and how long a match takes.

Colours are written as CSS variables, so that one picture serves a light page, a dark page and paper.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import altair as alt
import vl_convert as vlc

from harness.report.ceiling import in_order
from harness.results.run import TargetFigures

INK, MUTED, GRID = "#010101", "#020202", "#030303"
SERIES = ("#010001", "#010002", "#010003", "#010004")
"""Stand-ins, one for each target in order; the page says which colour each is."""
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid"} | {c: f"--series-{n}" for n, c in enumerate(SERIES)}

WIDE, NARROW = 780, 320
"""Widths in CSS pixels: one picture for a screen or paper, one for a phone, so that the text is never scaled down."""
_WIDTHS = (WIDE, NARROW)
BARS = 60
"""Steps that a chart over time shows at most."""

Drawing = alt.Chart | alt.FacetChart | alt.VConcatChart
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart in both widths, with its title and the sentence that says how to read it."""

    name: str
    title: str
    caption: str
    wide: str
    narrow: str


def figures(targets: Sequence[TargetFigures]) -> list[Figure]:
    """The charts for which there are samples."""
    found = []
    for name, title, caption, points, shape in _KINDS:
        rows = points(targets)
        if rows:
            names = [target.name for target in targets]
            pictures = (svg(shape(rows, names, width), f"{title}: {caption}") for width in _WIDTHS)
            found.append(Figure(name, title, caption, *pictures))
    return found


def _rates(targets: Sequence[TargetFigures]) -> Rows:
    return _over_time(targets, lambda target: target.timeline.matches_per_s, lambda part: sum(part) / len(part))


def _waiting(targets: Sequence[TargetFigures]) -> Rows:
    return _over_time(targets, lambda target: target.timeline.waiting, max)


def _over_time(
    targets: Sequence[TargetFigures],
    values: Callable[[TargetFigures], Sequence[float]],
    fold: Callable[[Sequence[float]], float],
) -> Rows:
    """One row a bar: many steps are folded into few bars, the same for all targets.

    A last row closes the final bar, so that a step chart shows it in full width.
    """
    longest = max((len(values(target)) * target.timeline.step for target in targets), default=0.0)
    rows = []
    for target in targets:
        series, step = values(target), target.timeline.step
        width = max(1, round(longest / BARS / step))
        bars = [fold(series[start : start + width]) for start in range(0, len(series), width)]
        for number, value in enumerate([*bars, *bars[-1:]]):
            rows.append({"target": target.name, "x": round(number * width * step, 3), "y": round(value, 3)})
    return rows


def _quantiles(targets: Sequence[TargetFigures]) -> Rows:
    return [
        {"target": target.name, "x": max(point.at_most_ms, 0.1), "y": point.percent}
        for target in targets
        for point in target.join_to_match_quantiles
    ]


def _steps(targets: Sequence[TargetFigures]) -> Rows:
    return [
        {
            "target": target.name, "x": step.users_per_s, "held": step.verdict == "held",
            "y": max(step.correct_matches_per_s, 0.1),
            "z": max(step.join_to_match_p99_ms or step.join_p99_ms or 0.1, 0.1),
        }
        for target in targets if target.ceiling is not None
        for step in in_order(target.ceiling.steps)
    ]  # fmt: skip


def _ceiling_curve(rows: Rows, names: list[str], width: int) -> alt.VConcatChart:
    """Matches above and waits below, over the same rates; a step that did not hold is a hollow point."""
    panels = [_over_rates(rows, names, width, *panel) for panel in (("y", "correct matches/s"), ("z", "p99, ms"))]
    stacked: alt.VConcatChart = alt.vconcat(*panels, spacing=12)
    return stacked


def _over_rates(rows: Rows, names: list[str], width: int, field: str, title: str) -> alt.LayerChart:
    log = alt.Scale(type="log")
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "x:Q",
            title="users per s (logarithmic)",
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(tickCount=5),
        ),
        y=alt.Y(f"{field}:Q", title=title, scale=log, axis=alt.Axis(tickCount=4)),
        color=_colour(names),
    )
    hollow = alt.condition("datum.held", alt.value(1), alt.value(0))
    points = base.mark_point(size=45, strokeWidth=1.5, filled=False) + base.mark_point(size=45, filled=True).encode(
        opacity=hollow
    )
    line = base.mark_line(strokeWidth=1.5)
    layered: alt.LayerChart = (line + points).properties(width=width - 60, height=round(90 + width / 12))
    return layered


def _rate_bars(rows: Rows, names: list[str], width: int) -> alt.FacetChart:
    return _bars(rows, names, width, "matches per s")


def _waiting_bars(rows: Rows, names: list[str], width: int) -> alt.FacetChart:
    return _bars(rows, names, width, "users waiting")


def _bars(rows: Rows, names: list[str], width: int, unit: str) -> alt.FacetChart:
    """One panel for each target, on the same scales: lines of two targets on one panel would hide each other."""
    panel = (
        alt.Chart(alt.Data(values=rows))
        .mark_area(interpolate="step-after", line={"strokeWidth": 1}, fillOpacity=0.55)
        .encode(
            x=alt.X("x:Q", title="seconds", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("y:Q", title=unit, axis=alt.Axis(tickCount=3, tickMinStep=1)),
            color=_colour(names),
        )
        .properties(width=width - 60, height=round(70 + width / 16))
    )
    faceted: alt.FacetChart = panel.facet(row=alt.Row("target:N", sort=names, header=None), spacing=14)
    return faceted


def _curve(rows: Rows, names: list[str], width: int) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(interpolate="monotone", strokeWidth=2)
        .encode(
            x=alt.X("x:Q", title="milliseconds (logarithmic)", scale=alt.Scale(type="log"), axis=alt.Axis(tickCount=5)),
            y=alt.Y("y:Q", title="% of matched users", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5)),
            color=_colour(names),
        )
        .properties(width=width - 60, height=round(150 + width / 8))
    )
    return chart


def _colour(names: list[str]) -> alt.Color:
    colours = [SERIES[number % len(SERIES)] for number in range(len(names))]
    return alt.Color("target:N", scale=alt.Scale(domain=names, range=colours), legend=None)


def svg(chart: Drawing, label: str) -> str:
    """A chart in the report's look, as inline SVG; `label` is what a screen reader says of it."""
    styled = chart.configure(
        font="sans-serif",
        background="transparent",
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=MUTED, titleColor=MUTED, gridColor=GRID, domainColor=GRID, tickColor=GRID,
            labelFontSize=12, titleFontSize=12, titleFontWeight="normal",
        ),
        axisX=alt.AxisConfig(grid=False),
    )  # fmt: skip
    return _themed(str(vlc.vegalite_to_svg(styled.to_json())), label)


def _themed(svg: str, label: str) -> str:
    """Stand-in colours become CSS variables, sizes a view box that shrinks with the page; one label for one picture.

    What Vega says of each mark ("symbol mark container") is noise: the figures stand on the page as text.
    """
    svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", svg)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(f'"{colour}"', f'"var({variable})"')
    return re.sub(r'(<svg[^>]*?) width="([\d.]+)" height="([\d.]+)"', r'\1 style="max-width:\2px"', svg, count=1)


_Kind = tuple[str, str, str, Callable[[Sequence[TargetFigures]], Rows], Callable[[Rows, list[str], int], Drawing]]
_KINDS: tuple[_Kind, ...] = (
    ("matches", "Matches over time", "New matches per second, from the first join on.", _rates, _rate_bars),
    ("latency", "From join to match", "How many of the matched users knew of it within a time.", _quantiles, _curve),
    (
        "ceiling",
        "Up to the ceiling",
        "What came of each step; filled points held, hollow ones did not.",
        _steps,
        _ceiling_curve,
    ),
    ("waiting", "Users waiting", "Users who joined and have not yet seen a match.", _waiting, _waiting_bars),
)
