"""The kill matrix as tables for a terminal and as one HTML page that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.results.matrix import RED, Matrix, Row

if TYPE_CHECKING:
    from rich.table import Table

_PAGES = Environment(
    loader=PackageLoader("harness.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def matrix_tables(matrix: Matrix) -> list[Table]:
    """What became of the mutants, and of the lawful variants."""
    from rich.table import Table

    mutants = Table("mutant", "what the server does wrong", "must go red", "went red", "", title="mutants")
    for row in matrix.mutants:
        red = ", ".join(row.killed_by)
        mutants.add_row(row.id, row.title, ", ".join(row.names), red, row.verdict, style="" if row.killed else "red")
    legal = Table("variant", "what the server does otherwise", "", title="legal variants")
    for lawful in matrix.legal:
        legal.add_row(lawful.id, lawful.title, lawful.verdict, style="" if lawful.green else "red")
    return [table for table in (mutants, legal) if table.row_count]


def matrix_page(matrix: Matrix) -> str:
    """The page: one row for each server, one column for each requirement that was tested on any."""
    rows: list[Row] = [*matrix.mutants, *matrix.legal]
    tested = {name for row in rows for trial in row.trials for name in trial}
    named = [name for row in matrix.mutants for name in row.names if name in tested]
    columns = list(dict.fromkeys([*named, *sorted(tested)]))
    return _PAGES.get_template("matrix.html.j2").render(
        matrix=matrix, columns=columns, cell=_cell, made=matrix.fingerprint.created.replace("T", " ")
    )


def _cell(row: Row, requirement: str) -> tuple[str, str]:
    """What became of a requirement on a server: the text of the cell and its tone."""
    statuses = [trial[requirement] for trial in row.trials if requirement in trial]
    if not statuses:
        return "", ""
    red = sum(status in RED for status in statuses)
    if red:
        return (f"{red}/{len(statuses)}" if len(statuses) > 1 else "red"), "bad"
    if all(status == "pass" for status in statuses):
        return "·", "good"
    return next(status for status in statuses if status != "pass"), "doubt"
