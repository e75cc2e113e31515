"""Arrivals from a file: when users came somewhere else, line by line."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import Trouble

_COLUMNS = ("due", "time", "t", "seconds")
"""What the column of the due times may be called; without a title it is the first."""
_A_YEAR = 366 * 86_400.0


def read_trace(path: Path) -> list[float]:
    """The due times of a trace, in seconds from the start, ascending.

    A line holds one due time, or is a row of CSV whose first line names the columns, one of them `due`. Empty lines
    and lines that begin with `#` say nothing.

    Raises:
        Trouble: the file cannot be read, or a line says no due time; the trouble names file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is no text"
        raise Trouble(f"the trace {path} cannot be read ({said})", "check the path and its permissions") from None
    dues: list[float] = []
    for number, text in _due_texts(lines):
        dues.append(_due(text, dues[-1] if dues else 0.0, f"{path}, line {number}"))
    if not dues:
        raise Trouble(f"the trace {path} holds no arrival", "write one due time per line, in seconds from the start")
    if dues[0] > _A_YEAR:
        raise Trouble(f"{path} begins at {dues[0]:g} s, which is a date", "write seconds from the start of the run")
    return dues


def _due_texts(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The number of each line that says something, and what its due column says."""
    column, first = 0, True
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = [cell.strip() for cell in next(csv.reader([line]))]
        title = _title(cells) if first else None
        first = False
        if title is not None:
            column = title
            continue
        yield number, cells[column] if column < len(cells) else ""


def _title(cells: Sequence[str]) -> int | None:
    """The place of the due times, where these cells are titles; None where they are not."""
    lower = [cell.lower() for cell in cells]
    return next((lower.index(name) for name in _COLUMNS if name in lower), None)


def _due(text: str, before: float, where: str) -> float:
    try:
        due = float(text)
    except ValueError:
        due = math.nan
    if not math.isfinite(due) or due < 0:
        raise Trouble(f"{where}: “{text}” is no due time", "write seconds from the start, for example 12.5")
    if due < before:
        raise Trouble(f"{where}: {text} comes before {before:g} of the line above", "sort the lines by their due times")
    return due
