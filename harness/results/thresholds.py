"""Thresholds: what a run's figures must hold, as a person writes it (`join_to_match_ms.p99<200`)."""

from __future__ import annotations

import difflib
import operator
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from harness.errors import Trouble
from harness.results.run import TargetFigures, ThresholdResult

ALIASES = {
    "matches_per_s": "correct_matches_per_s",
    "success_rate": "pairs.success_rate",
    "time_to_connect_ms": "pairs.time_to_connect_ms",
    "dropped": "arrivals_dropped",
    "loop_lag_ms": "generator.loop_lag_p99_ms",
}
"""Other words for a name, or for its beginning."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_UNITS = {
    "ms": {"": 1.0, "ms": 1.0, "s": 1000.0, "us": 0.001},
    "rate": {"": 1.0, "%": 0.01},
    "per_s": {"": 1.0, "/s": 1.0},
}
_WORST = frozenset({"<", "<=", "=="})
_PLUMBING = frozenset({"timeline"})
"""What is for drawing, and no figure."""
_PERCENT = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "max": 100.0}

_BETWEEN = re.compile(r"(?:[\s,;]|and\b)*")
_NAME = re.compile(r"[A-Za-z_][\w.\-]*")
_OPERATOR = re.compile(r"<=|>=|==|!=|<|>")
_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_UNIT = re.compile(r"[A-Za-z%/µ]*")


@dataclass(frozen=True)
class Threshold:
    """One condition: the name of a figure, an operator, and a limit in the figure's own unit."""

    text: str
    name: str
    operator: str
    limit: float

    def check(self, figures: TargetFigures) -> ThresholdResult | None:
        """How the figures break it; None when it holds."""
        result = self.result(figures)
        return None if result.held else result

    def result(self, figures: TargetFigures) -> ThresholdResult:
        """What the figures say to it. A figure that there is none of holds nothing."""
        value = _value(figures, self.name)
        if value is None:
            return self._said(None, held=False, sentence=f"{self.name} was not measured")
        if self.operator in _WORST and (open_ended := _open_ended(figures, self.name)):
            return self._said(None, held=False, sentence=open_ended)
        held = _OPERATORS[self.operator](value, self.limit)
        return self._said(value, held=held, sentence=f"{self.name} is {value:,.6g}")

    def _said(self, value: float | None, *, held: bool, sentence: str) -> ThresholdResult:
        return ThresholdResult(text=self.text, value=value, held=held, sentence=sentence)


def parse(text: str) -> Threshold:
    """Reads one threshold.

    Raises:
        Trouble: the text is none, or more than one; its excerpt shows where, and the names that there are.
    """
    found = parse_all(text)
    if len(found) > 1:
        raise _misread(
            text, text.index(found[1].text, len(found[0].text)), "one threshold was expected, and here is another"
        )
    return found[0]


def parse_all(text: str) -> list[Threshold]:
    """Reads one threshold or more, separated by commas, semicolons, white space or `and`. Raises as `parse` does."""
    found, at = [], _skip(_BETWEEN, text, 0)
    while at < len(text):
        threshold, at = _read(text, at)
        found.append(threshold)
        at = _skip(_BETWEEN, text, at)
    if not found:
        raise _misread(text, len(text), "a threshold was expected, for example matches_per_s>500")
    return found


def _read(text: str, start: int) -> tuple[Threshold, int]:
    name, at = _take(_NAME, text, start, "the name of a figure was expected")
    path, kind = _known(text, start, name)
    sign, at = _take(_OPERATOR, text, at, "one of < <= > >= == != was expected")
    number, at = _take(_NUMBER, text, at, "a number was expected")
    unit = _UNIT.match(text, at)
    units = _UNITS.get(kind, {"": 1.0})
    word = unit.group() if unit else ""
    if word not in units:
        allowed = ", ".join(repr(word) for word in units if word) or "none"
        raise _misread(text, at, f"“{word}” is no unit of {name} (there is {allowed})")
    end = at + len(word)
    if end < len(text) and not re.match(r"[\s,;]", text[end]):
        raise _misread(text, end, "the threshold should end here")
    limit = float(number.replace("_", "")) * units[word]
    return Threshold(text[start:end], path, sign, limit), end


def _take(pattern: re.Pattern[str], text: str, at: int, expected: str) -> tuple[str, int]:
    at = _skip(re.compile(r"\s*"), text, at)
    found = pattern.match(text, at)
    if found is None:
        raise _misread(text, at, expected)
    return found.group(), found.end()


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


# ---------------------------------------------------------------- names


def _known(text: str, at: int, name: str) -> tuple[str, str]:
    """The full name of a figure, and its kind of unit."""
    path = name
    for alias, meant in ALIASES.items():
        if name == alias or name.startswith(f"{alias}."):
            path = meant + name[len(alias) :]
    known = names()
    kind = known.get(path)
    if kind is None and (head := path.rpartition(".")[0]) and known.get(head) == "counts":
        kind = "count"
    if kind is None:
        near = difflib.get_close_matches(name, [*known, *_short(known)], n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}? The names stand below" if near else "choose one of the names below"
        raise _misread(text, at, f"there is no figure “{name}”", hint)
    return path, kind


def _short(known: dict[str, str]) -> list[str]:
    """The aliases, written out."""
    return [
        alias + name[len(meant) :] for alias, meant in ALIASES.items() for name in known
        if name == meant or name.startswith(f"{meant}.")
    ]  # fmt: skip


@cache
def names() -> dict[str, str]:
    """The names of all figures, dotted, with the kind of each: `ms`, `rate`, `per_s`, `count`, or `counts` by key."""
    return dict(_names(TargetFigures, "")) | dict.fromkeys(_DERIVED, "rate")


def _names(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    for field, info in model.model_fields.items():
        kinds = [kind for kind in get_args(info.annotation) or (info.annotation,) if kind is not type(None)]
        name = f"{prefix}{field}"
        if name in _PLUMBING:
            continue
        if info.annotation == dict[str, int]:
            yield name, "counts"
        elif len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], BaseModel):
            yield from _names(kinds[0], f"{name}.")
        elif len(kinds) == 1 and kinds[0] in {int, float}:
            yield name, _kind(name)


def _kind(name: str) -> str:
    for part in reversed(name.split(".")):
        if part.endswith("_ms"):
            return "ms"
        if part.endswith("_per_s"):
            return "per_s"
        if part.endswith("_rate") or part == "cpu":
            return "rate"
    return "count"


# ---------------------------------------------------------------- values


def _value(figures: TargetFigures, name: str) -> float | None:
    """The figure of that name; None where it was not measured."""
    if name in _DERIVED:
        return _DERIVED[name](figures)
    value: Any = figures
    head, rest = "", name
    while rest:
        head, _, rest = rest.partition(".")
        if isinstance(value, dict):
            return float(value.get(f"{head}.{rest}" if rest else head, 0))
        value = getattr(value, head, None)
        if value is None:
            return None
    return float(sum(value.values())) if isinstance(value, dict) else float(value)


def _achieved(figures: TargetFigures) -> float | None:
    if not figures.offered_per_s or figures.achieved_per_s is None:
        return None
    return figures.achieved_per_s / figures.offered_per_s


def _censored(figures: TargetFigures) -> float | None:
    waits = figures.join_to_match_ms.count + figures.censored_waits
    return figures.censored_waits / waits if waits else None


_DERIVED: dict[str, Callable[[TargetFigures], float | None]] = {
    "achieved_rate": _achieved,
    "censored_rate": _censored,
}
"""Shares of other figures: achieved of offered arrivals, waits that did not end of all waits."""


def _open_ended(figures: TargetFigures, name: str) -> str:
    """Why a percentile of waits has no upper bound; empty where it has.

    A wait that did not end is longer than it looks, nobody knows by how much: with more of them than the percentile
    leaves aside, it may be anything.
    """
    field, _, point = name.partition(".")
    if field != "join_to_match_ms" or point not in _PERCENT or not figures.censored_waits:
        return ""
    waits = figures.join_to_match_ms.count + figures.censored_waits
    if figures.censored_waits * 100 <= waits * (100 - _PERCENT[point]):
        return ""
    return f"{figures.censored_waits:,} of {waits:,} waits did not end, so that nobody knows {name}"


# ---------------------------------------------------------------- trouble


def _misread(text: str, at: int, what: str, remedy: str = "write it as matches_per_s>500") -> Trouble:
    """Shows the place below the text, and the names that there are."""
    shown = text.replace("\n", " ").replace("\t", " ")
    listed = textwrap.fill(", ".join(_listed()), 100, initial_indent="  names: ", subsequent_indent="         ")
    excerpt = f"  {shown}\n  {' ' * at}^\n{listed}"
    return Trouble(f"“{shown}”, character {at + 1}: {what}", remedy, excerpt)


def _listed() -> Sequence[str]:
    known = {name: f"{name}[.ID]" if kind == "counts" else name for name, kind in names().items()}
    return sorted([*known.values(), *_short(known)])
