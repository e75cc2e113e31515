"""Every figure of a run as run.json holds it, so that whoever has the page needs no file beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.results.store import StoredRun

_NAMES = ("name", "target", "id", "turn")
"""The fields that an entry of a list is called by, where it has one of them."""

_WORDS = frozenset({"title", "statement", "clause", "quote", "why"})
"""What the catalogue says of a requirement: no figures, and the same in every run (docs/requirements.md)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a run: the names of its figures, dotted, and what each of them is."""

    title: str
    rows: list[tuple[str, str]]


def every_figure(run: StoredRun) -> list[Part]:
    """The parts of a run in the order of run.json; what is null or empty is left out.

    Numbers stand as in the file. A series of numbers is one row, with `×` for a number that comes again and again:
    `160.0 20.0 0.0×8`.
    """
    parts = []
    single: list[tuple[str, str]] = []
    for key, value in run.model_dump(mode="json", by_alias=True).items():
        if isinstance(value, list) and value and not _is_series(value) and isinstance(value[0], dict):
            parts += [Part(title, list(_rows("", entry))) for title, entry in _entries(key, value)]
        elif isinstance(value, dict) and value:
            parts.append(Part(key, list(_rows("", value))))
        else:
            single += _rows(key, value)
    return [Part("run", single), *(part for part in parts if part.rows)]


def _rows(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        left_out = _WORDS if "evidence" in value else ()
        for key, inner in value.items():
            if key not in left_out:
                yield from _rows(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, list):
        yield from _listed(name, value)
    elif value not in (None, ""):
        yield name, value if isinstance(value, str) else json.dumps(value)


def _listed(name: str, values: list[Any]) -> Iterator[tuple[str, str]]:
    if not values:
        return
    if _is_series(values):
        yield name, _series(values)
    elif all(isinstance(entry, dict) and _is_series([*entry.values()]) for entry in values):
        for key in values[0]:
            yield f"{name}.{key}", _series([entry[key] for entry in values])
    elif all(isinstance(entry, str) for entry in values):
        yield name, ", ".join(values)
    else:
        for title, entry in _entries(name, values):
            yield from _rows(title, entry)


def _entries(name: str, values: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Each entry under a name that no other has."""
    calls = [_call(entry) for entry in values]
    for number, entry in enumerate(values):
        call = calls[number]
        yield f"{name}[{call if call and calls.count(call) == 1 else number}]", entry


def _call(entry: Any) -> str:
    found = (str(entry[field]) for field in _NAMES if isinstance(entry, dict) and entry.get(field))
    return next(found, "")


def _is_series(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _series(values: Sequence[float]) -> str:
    runs = ((json.dumps(value), sum(1 for _ in same)) for value, same in groupby(values))
    return " ".join(number if times == 1 else f"{number}×{times}" for number, times in runs)
