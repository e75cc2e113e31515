"""A stored run on a terminal: figures side by side, requirements, and the first witness of each finding."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.report.ceiling import ceiling_table, ceiling_views
from harness.report.claims import claims_table
from harness.report.connections import ConnectionsView, Doubt, connections_view, pair_rows
from harness.report.rows import (
    Row,
    conformance_of,
    figure_rows,
    figures_of,
    findings_of,
    notes,
    requirement_rows,
    scenario_notes,
    sentence_of,
    shortened,
    witness_lines,
)
from harness.results.finding import Finding
from harness.results.run import BenchRun, ClaimsRun, ConformRun, TargetFigures
from harness.results.store import StoredRun

_STYLES = {
    "valid": "bold green", "pass": "green", "conformant": "bold green",
    "invalid": "bold red", "fail": "bold red", "not-conformant": "bold red",
    "unknown": "yellow", "error": "magenta", "warn": "yellow", "partial": "yellow",
    "not-verified": "dim", "not-applicable": "dim",
}  # fmt: skip

_DOUBTS = 10
"""So many pairs that contradict theory are shown; the page has them all."""


def bench_table(run: BenchRun) -> RenderableType:
    """The comparison that ends `gurukul bench`."""
    return summary(run)


def summary(run: StoredRun) -> RenderableType:
    """Any stored run: what it measured, what it checked, what it found."""
    parts: list[RenderableType] = []
    targets, conformance = figures_of(run), conformance_of(run)
    if targets:
        parts += [_figures(targets), *_notes(run, targets)]
    for ceiling in ceiling_views(targets):
        parts += [ceiling_table(ceiling), Text.assemble((f"{ceiling.name}  ", "bold"), ceiling.sentence)]
    if not isinstance(run, BenchRun):
        parts += [part for target in targets for part in _connections(target)]
    if conformance:
        parts.append(_requirements(conformance))
    if isinstance(run, ClaimsRun):
        parts.append(claims_table(run.claims))
    for name, finding in findings_of(run):
        parts.append(_finding(name, finding))
    parts.append(Text.assemble("\n", ("verdict  ", "bold"), sentence_of(run)))
    return Group(*parts)


def _figures(targets: Sequence[TargetFigures]) -> Table:
    table = Table(title="what was measured", title_justify="left", title_style="bold", header_style="bold")
    table.add_column("")
    for target in targets:
        table.add_column(target.name, justify="right", overflow="fold")
    table.add_column("", style="dim")
    for row in figure_rows(targets):
        table.add_row(row.label, *(Text(cell, style=_STYLES.get(cell, "")) for cell in row.cells), row.hint)
    return table


def _notes(run: StoredRun, targets: Sequence[TargetFigures]) -> list[RenderableType]:
    said = [(target.name, note) for target in targets for note in notes(target)] + scenario_notes(run)
    return [Text.assemble((f"{name}  ", "bold"), note) for name, note in said]


def _connections(target: TargetFigures) -> list[RenderableType]:
    """Arms side by side, pairs of NATs, and what contradicts theory; nothing where nobody tried to connect."""
    if target.connections is None or not target.connections.arms:
        return []
    view = connections_view(target.name, target.connections)
    parts: list[RenderableType] = [Text(f"\nhow they connected: {target.name}", style="bold")]
    parts += [Text(view.summary, style="dim")] if view.summary else []
    parts += [_arms(view, block.title, block.rows) for block in view.blocks]
    pairs = pair_rows(target.connections)
    parts += [_arms(view, "pairs of NATs", pairs)] if pairs else []
    return parts + [_doubt(doubt) for doubt in view.doubts[:_DOUBTS]] + _more(len(view.doubts) - _DOUBTS)


def _arms(view: ConnectionsView, title: str, rows: Sequence[Row]) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", title_style="", header_style="bold")
    table.add_column("", overflow="fold")
    for arm in view.arms:
        table.add_column(arm, justify="right", overflow="fold")
    hinted = any(row.hint for row in rows)
    if hinted:
        table.add_column("", style="dim", overflow="fold")
    for row in rows:
        cells = (Text(cell, style="red" if "against theory" in cell else "") for cell in row.cells)
        table.add_row(row.label, *cells, *([row.hint] if hinted else []))
    return table


def _doubt(doubt: Doubt) -> RenderableType:
    head = (f"{doubt.kinds}, {doubt.turn}", "bold red")
    detail = f" ({shortened(doubt.detail)})" if doubt.detail else ""
    said = f"  session {shortened(doubt.session)}: theory says {doubt.theory}, and it came out as {doubt.stage}{detail}"
    return Text.assemble("\n", head, said)


def _more(count: int) -> list[RenderableType]:
    return [Text(f"and {count:,} more pairs that contradict theory: the page has them all")] if count > 0 else []


def _requirements(runs: Sequence[ConformRun]) -> Table:
    table = Table(title="\nwhat was checked", title_justify="left", title_style="bold", header_style="bold")
    table.add_column("requirement", no_wrap=True)
    table.add_column("")
    for run in runs:
        table.add_column(run.target)
    for row in requirement_rows(runs):
        if not any(result is not None and result.chosen for result in row.results):
            continue
        statuses = (result.status if result is not None else "not-verified" for result in row.results)
        table.add_row(row.id, row.title, *(Text(status, style=_STYLES[status]) for status in statuses))
    table.add_section()
    table.add_row("verdict", "", *(Text(run.verdict, style=_STYLES[run.verdict]) for run in runs))
    return table


def _finding(name: str, finding: Finding) -> RenderableType:
    head = Text.assemble("\n", (f"{name} {finding.requirement}", "bold red"), f"  {shortened(finding.sentence)}")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", style="dim")
    for line in witness_lines(finding):
        grid.add_row(*line)
    return Group(head, Padding(grid, (0, 0, 0, 2))) if finding.witness else head
