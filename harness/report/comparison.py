"""A comparison on a terminal, and as Markdown for a pull request."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.results.compare import Compared, Comparison

_STYLES = {"worse": "bold red", "better": "bold green", "unknown": "yellow", "no difference": "dim"}
_HEAD = ("target", "figure", "base", "new", "difference (99 %)", "")


def comparison_table(comparison: Comparison) -> RenderableType:
    """The figures side by side, then what must be known, then the verdict."""
    table = Table(title="base and new", title_justify="left", title_style="bold", header_style="bold")
    for name in _HEAD:
        table.add_column(name, justify="left" if name in {"target", "figure", ""} else "right", overflow="fold")
    for row in comparison.figures:
        table.add_row(*(Text(cell) for cell in _cells(row)), Text(row.verdict, style=_STYLES[row.verdict]))
    said = [Text(f"caution: {caution}") for caution in comparison.cautions]
    end = Text.assemble("\n", ("verdict  ", "bold"), (comparison.verdict, _STYLES[comparison.verdict]))
    end.append(f": {comparison.reason}")
    return Group(table, *said, end)


def comparison_markdown(comparison: Comparison) -> str:
    """The same as a table of Markdown; figures that are as they were are left out where others are not."""
    moved = [row for row in comparison.figures if row.verdict != "no difference"] or list(comparison.figures)
    lines = [f"**{comparison.verdict}**: {comparison.reason}", "", f"| {' | '.join(_HEAD)} |", "| --- " * 6 + "|"]
    lines += [f"| {' | '.join((*_cells(row), row.verdict))} |".replace("\n", " ") for row in moved]
    lines += [f"\n{caution}" for caution in comparison.cautions]
    return "\n".join(lines) + "\n"


def _cells(row: Compared) -> tuple[str, ...]:
    return (row.target, row.figure, _value(row.base), _value(row.new), _difference(row))


def _value(value: float | str | None) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:,.4g}"


def _difference(row: Compared) -> str:
    if row.difference is None or row.interval_99 is None:
        return row.detail
    low, high = row.interval_99
    return f"{row.difference:+.3g} ({low:+.3g} to {high:+.3g}; {row.detail or 'beyond 0'})"
