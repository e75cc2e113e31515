"""The steps of a search for the ceiling, as rows: the same for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.results.ceiling import Ceiling, Step
from harness.results.run import TargetFigures

HEAD = ("users/s", "answered/s", "correct matches/s", "join to match p99, ms", "", "what broke")
_STYLES = {"held": "green", "broke": "bold red", "unknown": "yellow"}


@dataclass(frozen=True, slots=True)
class CeilingView:
    """What is shown of one target's ceiling: a sentence, and a row for each step in the order of their rates."""

    name: str
    sentence: str
    rows: list[tuple[str, ...]]


def ceiling_views(targets: Sequence[TargetFigures]) -> list[CeilingView]:
    """Those of all targets whose ceiling was sought."""
    return [
        CeilingView(target.name, sentence(target.ceiling), [_row(step) for step in in_order(target.ceiling.steps)])
        for target in targets
        if target.ceiling is not None
    ]


def in_order(steps: Sequence[Step]) -> list[Step]:
    """From the slowest to the quickest; steps of one rate in the order in which they were made."""
    return sorted(steps, key=lambda step: step.users_per_s)


def sentence(ceiling: Ceiling) -> str:
    """The ceiling in words."""
    if ceiling.users_per_s is None:
        return f"no step held; the lowest broke: {ceiling.cause}"
    held = f"{ceiling.users_per_s:,.4g} users/s held, {ceiling.correct_matches_per_s or 0.0:,.4g} correct matches/s"
    if ceiling.broke_users_per_s is None:
        return f"at least {held}: nothing broke"
    at_least = "at least " if ceiling.generator_was_limit else ""
    return f"{at_least}{held}; at {ceiling.broke_users_per_s:,.4g} users/s: {ceiling.cause}"


def ceiling_table(view: CeilingView) -> RenderableType:
    """The steps on a terminal."""
    table = Table(title=f"\nceiling: {view.name}", title_justify="left", title_style="bold", header_style="bold")
    for name in HEAD:
        table.add_column(name, justify="left" if name in {"", HEAD[-1]} else "right", overflow="fold")
    for row in view.rows:
        table.add_row(*row[:4], Text(row[4], style=_STYLES[row[4]]), row[5])
    return table


def _row(step: Step) -> tuple[str, ...]:
    figures = (step.achieved_per_s, step.correct_matches_per_s, step.join_to_match_p99_ms)
    return (f"{step.users_per_s:,.4g}", *(_number(value) for value in figures), step.verdict, step.cause)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
